import { script } from "./client.ts";
import { clock } from "./counter-scripts.ts";

/**
 * A record is a key, and so is what its call was made with; each goes by itself when its time is over. Sorted sets, scored by the instant at which the record
 * goes, find them: `all`, by session, the pending ones by session, the live ones by binding. All approvals together have a version.
 *
 * The names of records are found in the sets and cannot be told beforehand; they start as the clock's key does, and so are in the same Cluster slot.
 */
const approvals = `${clock}
local base = string.sub(KEYS[1], 1, -6)
local function record_key(id) return base .. 'approval:' .. id end
local function secrets_key(id) return base .. 'approval-secrets:' .. id end
local version = call('GET', base .. 'approvals-version') or '0'
remember()
`;

/** Parameters after the time: one id, where there are no sets among the keys. Answers the version, the time, and two texts for each record. */
export const readScript = script(`${approvals}
local ids, seen = {ARGV[2]}, {}
for set = 2, #KEYS do
  for _, id in ipairs(call('ZRANGE', KEYS[set], 0, -1)) do ids[#ids + 1] = id end
end
local answer = {version, text(at)}
for _, id in ipairs(ids) do
  local record = not seen[id] and call('GET', record_key(id))
  seen[id] = true
  if record then
    answer[#answer + 1] = record
    answer[#answer + 1] = call('GET', secrets_key(id)) or ''
  end
end
return answer
`);

/**
 * Keys after the clock: the sets `all`, session, pending of the session, and one or two bindings. Parameters after the time: version, id, status, record,
 * secrets, when it expires and when it goes, and a mark of this write alone. Answers 0, and writes nothing, where the version is another by now.
 */
export const writeScript = script(`${approvals}
-- Clients may send a command again when they lose a connection: a use that was put back would be put back once more, since its version is another.
local written = base .. 'approval-written:' .. ARGV[9]
if call('EXISTS', written) == 1 then return 1 end
if version ~= ARGV[2] then return 0 end
call('SET', written, '', 'PX', 3600000)
call('INCR', base .. 'approvals-version')
local id, status, secrets, expires, goes = ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])

call('SET', record_key(id), ARGV[5])
expire(record_key(id), goes)
if secrets == '' then
  call('DEL', secrets_key(id))
else
  call('SET', secrets_key(id), secrets)
  expire(secrets_key(id), expires)
end

local pending, live = status == 'pending', status == 'pending' or status == 'approved'
for set = 2, #KEYS do
  local belongs = set <= 3 or (set == 4 and pending) or (set > 4 and live)
  call('ZREMRANGEBYSCORE', KEYS[set], '-inf', at)
  if belongs then call('ZADD', KEYS[set], goes, id) else call('ZREM', KEYS[set], id) end
  local last = call('ZREVRANGE', KEYS[set], 0, 0, 'WITHSCORES')
  if last[2] then expire(KEYS[set], tonumber(last[2])) end
end
return 1
`);
