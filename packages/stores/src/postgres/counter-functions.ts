/**
 * The counters' functions, of one schema. Each call is one round trip, and one transaction.
 *
 * A call takes an advisory lock for each of its counters, in one order, so that no two calls wait for each other, and holds them until its transaction is
 * durable. Row locks would have to write a row for a counter that is not there, and a refused call would write; this way it only reads. Under `READ
 * COMMITTED` each statement of a volatile function sees what was committed before it, so what is read after a lock is what the lock's last holder left; under
 * other isolation levels it would not be, and the functions refuse to run.
 *
 * Times are milliseconds since the epoch. `now` in a call is the caller's, for tests that move time; without it the server's clock decides.
 */
export function counterFunctions(schema: string): string {
  return `
    CREATE OR REPLACE FUNCTION ${schema}.lock_counters(keys text[]) RETURNS void LANGUAGE plpgsql SET lock_timeout = '1500ms' AS $$
    BEGIN
      IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'holdpoint needs the isolation level READ COMMITTED' USING ERRCODE = 'object_not_in_prerequisite_state';
      END IF;
      PERFORM pg_advisory_xact_lock(lock) FROM (
        SELECT DISTINCT hashtextextended('${schema} ' || key, 0) AS lock FROM unnest(keys) AS key ORDER BY lock
      ) AS locks;
    END $$;

    -- In PL/pgSQL, also where it is one statement: what it calls is planned once for a connection, and a function in SQL with every call.
    CREATE OR REPLACE FUNCTION ${schema}.time_now(caller bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    BEGIN
      RETURN coalesce(caller, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    END $$;

    CREATE OR REPLACE FUNCTION ${schema}.window_end(kind text, length bigint, origin bigint, at bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE kind
        WHEN 'aligned' THEN (floor((at - origin)::numeric / length)::bigint + 1) * length + origin
        WHEN 'month' THEN (extract(epoch FROM date_trunc('month', timestamp 'epoch' + at * interval '1 millisecond') + interval '1 month') * 1000)::bigint
      END
    $$;

    -- What a counter holds at an instant; nothing of it where its end has come.
    CREATE OR REPLACE FUNCTION ${schema}.live_counter(
      counter_key text, kind text, at bigint, OUT used bigint, OUT ends bigint, OUT born bigint, OUT live boolean
    ) LANGUAGE plpgsql AS $$
    BEGIN
      SELECT counters.ends, counters.born, counters.used - CASE WHEN kind IN ('sliding', 'concurrent')
          THEN (SELECT coalesce(sum(amount), 0) FROM ${schema}.entries WHERE entries.key = counter_key AND free_at <= at) ELSE 0 END
        INTO ends, born, used
        FROM ${schema}.counters WHERE counters.key = counter_key AND (counters.ends IS NULL OR counters.ends > at);
      live := FOUND;
      used := coalesce(used, 0);
    END $$;

    -- The instant at which enough of a sliding window is free again. Most debits are small, and the first entries free enough.
    CREATE OR REPLACE FUNCTION ${schema}.entry_that_frees(counter_key text, lacking bigint, at bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
      entry record;
    BEGIN
      FOR entry IN SELECT free_at, amount FROM ${schema}.entries WHERE key = counter_key AND free_at > at ORDER BY free_at LOOP
        lacking := lacking - entry.amount;
        IF lacking <= 0 THEN RETURN entry.free_at; END IF;
      END LOOP;
      RETURN NULL;
    END $$;

    CREATE OR REPLACE FUNCTION ${schema}.room_for(debit json, used bigint, ends bigint, at bigint, now bigint) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      ceiling bigint := debit->>'max';
      amount bigint := debit->>'amount';
      short boolean := amount > ceiling - used;
      fits_at bigint;
    BEGIN
      IF short AND amount <= ceiling THEN
        fits_at := CASE debit->>'kind'
          WHEN 'sliding' THEN ${schema}.entry_that_frees(debit->>'key', amount - (ceiling - used), at)
          WHEN 'concurrent' THEN NULL
          ELSE ends
        END;
      END IF;
      RETURN json_build_array(short, greatest(0, ceiling - used), fits_at - now);
    END $$;

    CREATE OR REPLACE FUNCTION ${schema}.look(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      now bigint := ${schema}.time_now((call->>'now')::bigint);
      known bigint := (SELECT seen FROM ${schema}.state);
      at bigint := greatest(now, known);
      counter record;
      debit json;
      room json[] := '{}';
    BEGIN
      FOR debit IN SELECT json_array_elements(call->'debits') LOOP
        counter := ${schema}.live_counter(debit->>'key', debit->>'kind', at);
        room := room || ${schema}.room_for(debit, counter.used, counter.ends, at, now);
      END LOOP;
      PERFORM ${schema}.remember(at, known, call->>'now' IS NOT NULL);
      RETURN to_json(room);
    END $$;

    -- The clock never goes back by more than a second: each counter's own end keeps it exact, and dead counters are dropped by what is remembered. So the one
    -- row that all calls share is written once a second, and nobody waits for it. A caller's clock is remembered exactly.
    CREATE OR REPLACE FUNCTION ${schema}.remember(at bigint, known bigint, exactly boolean) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      IF known >= at OR (NOT exactly AND known >= at - 1000) THEN RETURN; END IF;
      UPDATE ${schema}.state SET seen = at WHERE only_one IN (SELECT only_one FROM ${schema}.state WHERE seen < at FOR UPDATE SKIP LOCKED);
    END $$;

    CREATE OR REPLACE FUNCTION ${schema}.reserve(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      now bigint;
      known bigint;
      at bigint;
      counter record;
      debit json;
      fits boolean := true;
      used bigint[] := '{}';
      ends bigint[] := '{}';
      born bigint[] := '{}';
      live boolean[] := '{}';
      room json[] := '{}';
      store_epoch text;
      sequence bigint;
      opened boolean := false;
      index integer := 0;
    BEGIN
      PERFORM ${schema}.lock_counters((SELECT array_agg(value->>'key') FROM json_array_elements(call->'debits')));
      -- After the locks: of two calls on one counter the later one has the later time, whatever it waited.
      now := ${schema}.time_now((call->>'now')::bigint);
      SELECT seen, epoch INTO known, store_epoch FROM ${schema}.state;
      at := greatest(now, known);

      FOR debit IN SELECT json_array_elements(call->'debits') LOOP
        counter := ${schema}.live_counter(debit->>'key', debit->>'kind', at);
        used := used || counter.used;
        ends := ends || counter.ends;
        born := born || counter.born;
        live := live || counter.live;
        fits := fits AND (debit->>'amount')::bigint <= (debit->>'max')::bigint - counter.used;
      END LOOP;
      PERFORM ${schema}.remember(at, known, call->>'now' IS NOT NULL);

      IF NOT fits THEN
        FOR debit IN SELECT json_array_elements(call->'debits') LOOP
          index := index + 1;
          room := room || ${schema}.room_for(debit, used[index], ends[index], at, now);
        END LOOP;
        RETURN json_build_object('granted', false, 'room', to_json(room));
      END IF;

      sequence := nextval('${schema}.reservations');
      FOR debit IN SELECT json_array_elements(call->'debits') LOOP
        index := index + 1;
        opened := opened OR NOT live[index];
        used[index] := ${schema}.take(debit, used[index], ends[index], born[index], live[index], at, sequence);
        room := room || json_build_array(false, (debit->>'max')::bigint - used[index], NULL);
      END LOOP;
      IF opened THEN PERFORM ${schema}.drop_dead(); END IF;
      RETURN json_build_object('granted', true, 'epoch', store_epoch, 'sequence', sequence, 'at', at, 'room', to_json(room));
    END $$;

    -- Takes a debit that fits, and answers what is used then.
    CREATE OR REPLACE FUNCTION ${schema}.take(
      debit json, found_used bigint, found_ends bigint, found_born bigint, live boolean, at bigint, reservation bigint
    ) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
      counter_key text := debit->>'key';
      kind text := debit->>'kind';
      length bigint := debit->>'lengthMs';
      taken bigint := debit->>'amount';
      new_ends bigint := found_ends;
    BEGIN
      IF NOT live AND taken = 0 THEN RETURN found_used; END IF;
      IF kind = 'lifetime' THEN
        new_ends := CASE WHEN length > 0 THEN at + length END;
      ELSIF kind IN ('sliding', 'concurrent') THEN
        DELETE FROM ${schema}.entries WHERE key = counter_key AND free_at <= at;
        IF taken > 0 THEN
          INSERT INTO ${schema}.entries VALUES (counter_key, at + length, reservation, taken);
          new_ends := greatest(found_ends, at + length);
        END IF;
      ELSE
        new_ends := coalesce(found_ends, ${schema}.window_end(kind, length, (debit->>'originMs')::bigint, at));
      END IF;
      INSERT INTO ${schema}.counters VALUES (counter_key, found_used + taken, new_ends, coalesce(found_born, reservation))
        ON CONFLICT (key) DO UPDATE SET used = excluded.used, ends = excluded.ends, born = excluded.born;
      RETURN found_used + taken;
    END $$;

    -- With each new counter a few dead ones go, so that the dead are found as fast as counters are made. Last in a transaction, past rows that others hold and
    -- past counters that others have locked, whose entries they may be dropping: so it waits for nobody. By the remembered time: a clock that is set back afterwards opens no window again.
    CREATE OR REPLACE FUNCTION ${schema}.drop_dead() RETURNS void LANGUAGE sql AS $$
      WITH dead AS (
        DELETE FROM ${schema}.counters WHERE key IN (
          SELECT key FROM (
            SELECT key FROM ${schema}.counters WHERE ends <= (SELECT seen FROM ${schema}.state) ORDER BY ends LIMIT 4 FOR UPDATE SKIP LOCKED
          ) AS found WHERE pg_try_advisory_xact_lock(hashtextextended('${schema} ' || key, 0))
        ) RETURNING key, ends
      )
      DELETE FROM ${schema}.entries USING dead WHERE entries.key = dead.key AND entries.free_at <= dead.ends
    $$;

    CREATE OR REPLACE FUNCTION ${schema}.settle(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      at bigint;
      reservation bigint := call->>'sequence';
      debit json;
      taken bigint;
      left_over bigint;
    BEGIN
      IF call->>'epoch' <> (SELECT epoch FROM ${schema}.state) THEN RETURN to_json(false); END IF;
      PERFORM ${schema}.lock_counters((SELECT array_agg(value->>'key') FROM json_array_elements(call->'debits')));
      at := ${schema}.time_now((call->>'now')::bigint);
      PERFORM ${schema}.remember(at, (SELECT seen FROM ${schema}.state), call->>'now' IS NOT NULL);
      FOR debit IN SELECT json_array_elements(call->'debits') LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM ${schema}.counters WHERE key = debit->>'key' AND born <= reservation);
        taken := debit->>'amount';
        IF debit->>'kind' IN ('sliding', 'concurrent') THEN
          -- A renewed slot has moved; an entry of a sliding window has not.
          DELETE FROM ${schema}.entries WHERE key = debit->>'key' AND sequence = reservation
            AND free_at >= CASE debit->>'kind' WHEN 'sliding' THEN (call->>'at')::bigint + (debit->>'lengthMs')::bigint ELSE 0 END;
          CONTINUE WHEN NOT FOUND;
        END IF;
        UPDATE ${schema}.counters SET used = used - taken WHERE key = debit->>'key' RETURNING used INTO left_over;
        IF left_over <= 0 THEN
          DELETE FROM ${schema}.counters WHERE key = debit->>'key';
          DELETE FROM ${schema}.entries WHERE key = debit->>'key';
        END IF;
      END LOOP;
      RETURN to_json(true);
    END $$;

    -- A slot that was lost is not taken again.
    CREATE OR REPLACE FUNCTION ${schema}.renew(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      at bigint;
      debit json;
    BEGIN
      IF call->>'epoch' <> (SELECT epoch FROM ${schema}.state) THEN RETURN to_json(false); END IF;
      PERFORM ${schema}.lock_counters((SELECT array_agg(value->>'key') FROM json_array_elements(call->'debits')));
      SELECT greatest(${schema}.time_now((call->>'now')::bigint), seen) INTO at FROM ${schema}.state;
      FOR debit IN SELECT json_array_elements(call->'debits') LOOP
        UPDATE ${schema}.entries SET free_at = at + (debit->>'lengthMs')::bigint
          WHERE key = debit->>'key' AND sequence = (call->>'sequence')::bigint AND free_at > at;
        UPDATE ${schema}.counters SET ends = greatest(ends, at + (debit->>'lengthMs')::bigint) WHERE key = debit->>'key' AND FOUND;
      END LOOP;
      RETURN to_json(true);
    END $$;

    CREATE OR REPLACE FUNCTION ${schema}.forget(call json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      forgotten text[] := (SELECT array_agg(value) FROM json_array_elements_text(call));
    BEGIN
      PERFORM ${schema}.lock_counters(forgotten);
      DELETE FROM ${schema}.counters WHERE key = ANY (forgotten);
      RETURN to_json(true);
    END $$;`;
}
