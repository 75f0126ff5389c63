export type { Imported } from "./finish-import.ts";
export { ImportError, type ImportIssue, type ImportNote } from "./import-log.ts";
export { fromIntercept, looksLikeIntercept } from "./intercept.ts";
export { readYaml, type YamlText } from "./intercept-yaml.ts";
export { fromPolicyLayer } from "./policylayer.ts";
