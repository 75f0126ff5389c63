export type { Category, Level } from "./category.ts";
export { type ClassifiableTool, type Classification, classify, type Evidence, type ServerContext, type ToolHints } from "./classify.ts";
export { type RecommendOptions, recommendPolicy } from "./recommend-policy.ts";
export type { Signal, SignalId } from "./signals.ts";
