export * from "./changes";
export * from "./health";
export * from "./masked";
export * from "./numbers";
export * from "./request_name";
export * from "./severity";
export * from "./times";
