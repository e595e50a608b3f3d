export * from "./ask";
export * from "./hooks";
export * from "./range";
export type * from "./types";
