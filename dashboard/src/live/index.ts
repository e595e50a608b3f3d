export * from "./hooks";
export { added, requestOf } from "./requests";
export type * from "./types";
