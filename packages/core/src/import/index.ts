export { ImportError, type ImportIssue, type ImportNote } from "./import-log.ts";
export { fromIntercept, looksLikeIntercept } from "./intercept.ts";
export { fromPolicyLayer, type Imported } from "./policylayer.ts";
