export * from "./hooks";
export { added, requestOf, titleOf } from "./requests";
export type * from "./types";
