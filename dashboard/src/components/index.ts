export { Chart, type ChartProps, type Series } from "./chart";
export * from "./page";
export * from "./sparkline";
export * from "./states";
export { type Column, Table } from "./table";
export * from "./values";
