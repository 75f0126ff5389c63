/**
 * The approvals' functions, of one schema: a read that tells the version of what it saw, and a write that happens only where that is the version still. What
 * an answer or a use means is decided between the two, by the same code for every database.
 */
export function approvalFunctions(schema: string): string {
  return `
    CREATE OR REPLACE FUNCTION ${schema}.approvals_read(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      -- Read first: rows that are newer than their version fail the write, and the other way round they would not.
      version bigint := (SELECT approvals FROM ${schema}.state);
      at bigint := (SELECT greatest(${schema}.time_now((call->>'now')::bigint), seen) FROM ${schema}.state);
      bindings text[] := ARRAY(SELECT json_array_elements_text(call->'bindings'));
      rows json;
    BEGIN
      SELECT json_agg(json_build_object('record', found.record, 'secrets', found.secrets)) INTO rows FROM (
        SELECT record, secrets FROM ${schema}.approvals WHERE call->>'by' = 'id' AND id = call->>'id'
        UNION ALL
        SELECT record, secrets FROM ${schema}.approvals
          WHERE call->>'by' = 'request' AND status = 'pending' AND (session = call->>'session' OR binding = call->>'binding')
        UNION ALL
        SELECT record, secrets FROM ${schema}.approvals
          WHERE call->>'by' = 'binding' AND status = 'approved' AND (binding = ANY (bindings) OR wide_binding = ANY (bindings))
        UNION ALL
        SELECT record, secrets FROM ${schema}.approvals
          WHERE call->>'by' = 'session' AND (call->>'session' IS NULL OR session = call->>'session')
      ) AS found;
      RETURN json_build_object('version', version::text, 'now', at, 'rows', coalesce(rows, '[]'));
    END $$;

    CREATE OR REPLACE FUNCTION ${schema}.approvals_write(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      at bigint := ${schema}.time_now((call->>'now')::bigint);
      approval json := call->'row';
    BEGIN
      UPDATE ${schema}.state SET approvals = approvals + 1, seen = greatest(seen, at)
        WHERE approvals = (call->>'version')::bigint RETURNING seen INTO at;
      IF NOT FOUND THEN RETURN to_json(false); END IF;
      INSERT INTO ${schema}.approvals VALUES (
        approval->>'id', approval->>'status', approval->>'session', approval->>'binding', approval->>'wideBinding',
        (approval->>'expiresAt')::bigint, approval->>'record', approval->>'secrets'
      ) ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, expires_at = excluded.expires_at, record = excluded.record, secrets = excluded.secrets;
      UPDATE ${schema}.approvals SET secrets = NULL WHERE secrets IS NOT NULL AND expires_at <= at;
      DELETE FROM ${schema}.approvals WHERE expires_at <= at - (call->>'keepMs')::bigint;
      RETURN to_json(true);
    END $$;`;
}
