import { HoldpointError } from "@holdpoint/core";
import { approvalFunctions } from "./approval-functions.ts";
import { counterFunctions } from "./counter-functions.ts";
import { checkSchema, type PostgresPool } from "./pool.ts";

/** Of the tables and functions below; raised with every change of either. */
const schemaVersion = 2;

/** Making a schema is more than a call, and those who start together wait for each other. */
const makingMs = 60_000;

export interface MigrateOptions {
  readonly pool: PostgresPool;
  /** `holdpoint` where absent. */
  readonly schema?: string | undefined;
}

/**
 * Makes the tables and functions of the stores, or brings them up to date: for roles that may, where the application's own may not. It may run at any
 * time, and many times at once.
 *
 * @throws HoldpointError if the schema was made by a later version.
 *
 * @example
 * await migratePostgres({ pool: new Pool({ connectionString: process.env.ADMIN_DATABASE_URL }) });
 */
export async function migratePostgres({ pool, schema = "holdpoint" }: MigrateOptions): Promise<void> {
  await makeSchema(pool, checkSchema(schema));
}

/**
 * One message of several statements is one transaction: a schema is there whole, or not at all. Of processes that start together one makes it; the others
 * wait for the lock and find it made, and touch nothing that calls are using already.
 */
export async function makeSchema(pool: PostgresPool, schema: string): Promise<void> {
  if ((await versionOf(pool, schema)) === schemaVersion) return;
  const text = `
    SELECT pg_advisory_xact_lock(hashtextextended('holdpoint migrate ${schema}', 0));
    DO $migrate$
    DECLARE
      made integer := 0;
    BEGIN
      -- Asked of the tables: what \`to_regclass\` remembers may be of before the wait.
      IF EXISTS (SELECT FROM pg_class WHERE relname = 'state' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '${schema}')) THEN
        EXECUTE 'SELECT version FROM ${schema}.state' INTO made;
      END IF;
      IF made < ${schemaVersion} THEN
        EXECUTE $statements$
          CREATE SCHEMA IF NOT EXISTS ${schema};
          ${tables(schema)}
          ${counterFunctions(schema)}
          ${approvalFunctions(schema)}
          UPDATE ${schema}.state SET version = ${schemaVersion};
        $statements$;
      END IF;
    END $migrate$;
  `;
  await pool.query({ text, query_timeout: makingMs });
}

/** @throws HoldpointError if the schema is missing, or of another version. */
export async function requireSchema(pool: PostgresPool, schema: string): Promise<void> {
  if ((await versionOf(pool, schema)) === schemaVersion) return;
  throw new HoldpointError("store_unavailable", `PostgreSQL failed: the schema \`${schema}\` is not ready: run \`migratePostgres\` on it`);
}

async function versionOf(pool: PostgresPool, schema: string): Promise<number | undefined> {
  const { rows } = await pool.query({ text: `SELECT to_regclass('${schema}.state') IS NOT NULL AS made` });
  if (rows[0]?.["made"] !== true) return undefined;
  const version = Number((await pool.query({ text: `SELECT version FROM ${schema}.state` })).rows[0]?.["version"]);
  if (version <= schemaVersion) return version;
  throw new HoldpointError(
    "store_unavailable",
    `PostgreSQL failed: the schema \`${schema}\` is of version ${version}, and this version of \`@holdpoint/stores\` reads ${schemaVersion}`,
  );
}

/**
 * `counters`: what is on each counter, and until when; `born` is the reservation that opened it. `entries`: what single reservations took from sliding
 * windows and concurrent limits, each until `free_at`. A counter's `used` counts its entries, those included that are free but not yet dropped.
 * `state.approvals` is the version of all approvals together.
 */
function tables(schema: string): string {
  return `
    CREATE TABLE IF NOT EXISTS ${schema}.state (
      only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
      version integer NOT NULL,
      epoch text NOT NULL DEFAULT gen_random_uuid(),
      seen bigint NOT NULL DEFAULT -9007199254740991,
      approvals bigint NOT NULL DEFAULT 0
    );
    INSERT INTO ${schema}.state (version) VALUES (0) ON CONFLICT DO NOTHING;
    CREATE SEQUENCE IF NOT EXISTS ${schema}.reservations;
    CREATE TABLE IF NOT EXISTS ${schema}.counters (
      key text COLLATE "C" PRIMARY KEY, used bigint NOT NULL, ends bigint, born bigint NOT NULL
    ) WITH (fillfactor = 70);
    CREATE INDEX IF NOT EXISTS counters_ends ON ${schema}.counters (ends);
    CREATE TABLE IF NOT EXISTS ${schema}.entries (
      key text COLLATE "C" NOT NULL, free_at bigint NOT NULL, sequence bigint NOT NULL, amount bigint NOT NULL, PRIMARY KEY (key, free_at, sequence)
    );
    CREATE TABLE IF NOT EXISTS ${schema}.approvals (
      id text COLLATE "C" PRIMARY KEY, status text NOT NULL, session text NOT NULL, binding text NOT NULL, wide_binding text,
      expires_at bigint NOT NULL, record text NOT NULL, secrets text
    );
    CREATE INDEX IF NOT EXISTS approvals_session ON ${schema}.approvals USING hash (session);
    CREATE INDEX IF NOT EXISTS approvals_binding ON ${schema}.approvals USING hash (binding);
    CREATE INDEX IF NOT EXISTS approvals_wide ON ${schema}.approvals USING hash (wide_binding);
    CREATE INDEX IF NOT EXISTS approvals_expires ON ${schema}.approvals (expires_at);
    CREATE INDEX IF NOT EXISTS approvals_secrets ON ${schema}.approvals (expires_at) WHERE secrets IS NOT NULL;`;
}
