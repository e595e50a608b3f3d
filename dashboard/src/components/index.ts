export { Chart, type ChartProps, type Mark, type Series } from "./chart";
export { useIsNarrow } from "./narrow";
export * from "./over";
export * from "./page";
export * from "./service_picker";
export * from "./sparkline";
export * from "./states";
export { type Column, Table } from "./table";
export * from "./values";
