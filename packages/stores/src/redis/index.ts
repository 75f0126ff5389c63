export type { IoredisClient, NodeRedisClient, RedisClient } from "./client.ts";
export { type RedisApprovalsOptions, redisApprovals } from "./redis-approvals.ts";
export { type RedisStoreOptions, redisStore } from "./redis-store.ts";
