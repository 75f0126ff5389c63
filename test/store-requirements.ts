/** The stores that tests run against when the environment says where one is; a test of a store skips itself where its variable is missing. */
const stores = { REDIS_URL: "Redis", DATABASE_URL: "PostgreSQL" };

/**
 * Runs once before the tests: says in one line which stores' tests are left out. With `HOLDPOINT_REQUIRE_STORES=1`, as in CI, nothing may
 * be left out.
 *
 * @throws Error if a store is required and its variable is not set.
 */
export default function requireStores(): void {
  const missing = Object.entries(stores).filter(([variable]) => !process.env[variable]);
  if (missing.length === 0) return;
  const leftOut = missing.map(([variable, store]) => `${store} (\`${variable}\` is not set)`).join(" and ");
  if (process.env.HOLDPOINT_REQUIRE_STORES === "1") throw new Error(`tests on every store are required: none can run on ${leftOut}`);
  console.log(`left out: tests on ${leftOut}`);
}
