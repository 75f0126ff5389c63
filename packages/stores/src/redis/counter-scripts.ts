import { script } from "./client.ts";

/**
 * Every script gets the clock as its first key, and as its first parameter the caller's milliseconds, empty where the server's clock decides.
 *
 * The clock is a number of microseconds: the latest instant that was seen, moved on by one with each reservation, whose number it is. So no number comes
 * twice, also where the data was lost in between. A counter is a hash: `used`; `ends`, the first instant at which nothing of it counts, empty where there is
 * none; `born`, the reservation that opened it. Sliding windows and concurrent limits have a sorted set of entries besides, `reservation:amount`, scored by
 * the instant at which each is free; `used` counts those included that are free but not yet dropped.
 */
export const clock = `
local call = redis.call

-- Lua would write 9e15 into a text with 14 digits; this is exact below 2^53, as are numbers that are handed to a command.
local function text(number) return string.format('%.0f', number) end

local time = call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
local now = tonumber(ARGV[1]) or server
local seen = tonumber(call('GET', KEYS[1]) or '') or -math.huge
local at = math.max(now, math.floor(seen / 1000))

local function remember() if now * 1000 > seen then call('SET', KEYS[1], now * 1000) end end

-- A dead key goes a minute after its end, by the server's clock.
local function expire(key, ends)
  if ends then call('PEXPIREAT', key, ends - now + server + 60000) else call('PERSIST', key) end
end

local function amount(entry) return tonumber(string.sub(entry, string.find(entry, ':', 1, true) + 1)) end
`;

/** Reads the debits, five parameters each, and what is on their counters. Takes nothing. */
const counting = `${clock}
local function freed(entries)
  local sum = 0
  for _, entry in ipairs(call('ZRANGEBYSCORE', entries, '-inf', at)) do sum = sum + amount(entry) end
  return sum
end

local debits, next_key, short = {}, 2, false
for parameter = 2, #ARGV, 5 do
  local key, kind, entries = KEYS[next_key], ARGV[parameter], nil
  next_key = next_key + 1
  if kind == 'sliding' or kind == 'concurrent' then
    entries = KEYS[next_key]
    next_key = next_key + 1
  end
  local counter = call('HMGET', key, 'used', 'ends')
  local used, ends = tonumber(counter[1] or ''), tonumber(counter[2] or '')
  local live = used and not (ends and ends <= at)
  if not live then used, ends = 0, nil elseif entries then used = used - freed(entries) end
  local wanted, room = tonumber(ARGV[parameter + 3]), ARGV[parameter + 4] - used
  short = short or wanted > room
  debits[#debits + 1] = {
    parameter = parameter, key = key, entries = entries, live = live, used = used, ends = ends, wanted = wanted, room = room
  }
end
`;

/** Answers with the room, three integers for each debit: whether it is short, what remains, and the wait, -1 where there is none to tell. */
const room = `
-- The instant at which enough of a sliding window is free again. Most debits are small, and the first entries free enough.
local function entry_that_frees(entries, lacking)
  local offset = 0
  while true do
    local found = call('ZRANGEBYSCORE', entries, '(' .. text(at), '+inf', 'WITHSCORES', 'LIMIT', offset, 50)
    if #found == 0 then return nil end
    for index = 1, #found, 2 do
      lacking = lacking - amount(found[index])
      if lacking <= 0 then return tonumber(found[index + 1]) end
    end
    offset = offset + 50
  end
end

local function fits_at(debit)
  local lacking, kind = debit.wanted - debit.room, ARGV[debit.parameter]
  if lacking <= 0 or lacking > debit.used or not debit.live or kind == 'concurrent' then return nil end
  if kind == 'sliding' then return entry_that_frees(debit.entries, lacking) end
  return debit.ends
end

remember()
for _, debit in ipairs(debits) do
  local instant = fits_at(debit)
  answer[#answer + 1] = debit.wanted > debit.room and 1 or 0
  answer[#answer + 1] = math.max(0, debit.room)
  answer[#answer + 1] = instant and instant - now or -1
end
return answer
`;

export const lookScript = script(`${counting}
local answer = {}
${room}`);

/** A function is made anew with each run of a script, so those that few runs need stand where they are needed. */
const opening = `
local DAY = 86400000

-- From days since the epoch, after Howard Hinnant's civil_from_days.
local function day_of_month(days)
  local day_of_era = (days + 719468) % 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  return day_of_year - math.floor((153 * math.floor((5 * day_of_year + 2) / 153) + 2) / 5) + 1
end

if kind == 'aligned' then
  ends = (math.floor((at - ARGV[parameter + 2]) / length) + 1) * length + ARGV[parameter + 2]
else
  local today = math.floor(at / DAY)
  local next_month = today - day_of_month(today) + 32
  ends = (next_month - day_of_month(next_month) + 1) * DAY
end
`;

/** Answers `{0, room…}`, or the reservation and what remains of each debit. */
export const reserveScript = script(`${counting}
if short then
  local answer = {0}
  ${room}
end

-- Nothing above takes anything. A server that is full or read-only refuses the first write below; after that it refuses none.
local reservation = math.max(now * 1000, seen + 1)
call('SET', KEYS[1], reservation)

local answer = {reservation}
for index, debit in ipairs(debits) do
  local parameter, key, taken = debit.parameter, debit.key, debit.wanted
  local kind = ARGV[parameter]
  local fixed = kind == 'aligned' or kind == 'month'
  answer[index + 1] = debit.room - taken
  if fixed and debit.live then
    call('HINCRBY', key, 'used', ARGV[parameter + 3])
  elseif debit.live or taken > 0 then
    local entries, ends, length = debit.entries, debit.ends, tonumber(ARGV[parameter + 1])
    if fixed then
      ${opening}
    elseif kind == 'lifetime' then
      ends = length > 0 and at + length or nil
    else
      call('ZREMRANGEBYSCORE', entries, '-inf', at)
      if taken > 0 then
        local free_at = at + length
        call('ZADD', entries, free_at, text(reservation) .. ':' .. text(taken))
        ends = math.max(ends or free_at, free_at)
        expire(entries, ends)
      end
    end
    call('HSET', key, 'used', debit.used + taken, 'ends', ends or '')
    if not debit.live then call('HSET', key, 'born', reservation) end
    expire(key, ends)
  end
end
return answer
`);

/** Parameters after the time: the reservation, and for each debit its kind and amount. The second key marks that this settle has happened. */
export const settleScript = script(`${clock}
remember()
local reservation = tonumber(ARGV[2])

-- Clients may send a command again when they lose a connection, and giving back twice would admit too much. Entries can go only once anyway.
local plain = false
for parameter = 3, #ARGV, 2 do plain = plain or (ARGV[parameter] ~= 'sliding' and ARGV[parameter] ~= 'concurrent') end
if plain and not call('SET', KEYS[2], '', 'NX', 'PX', 3600000) then return 0 end

local next_key = 3
for parameter = 3, #ARGV, 2 do
  local kind, taken = ARGV[parameter], tonumber(ARGV[parameter + 1])
  local key, entries = KEYS[next_key], nil
  next_key = next_key + 1
  if kind == 'sliding' or kind == 'concurrent' then
    entries = KEYS[next_key]
    next_key = next_key + 1
  end
  local counter = call('HMGET', key, 'used', 'born')
  if counter[1] and tonumber(counter[2]) <= reservation then
    if entries and call('ZREM', entries, text(reservation) .. ':' .. text(taken)) == 0 then taken = 0 end
    local used = tonumber(counter[1]) - taken
    if used > 0 then
      call('HSET', key, 'used', used)
    else
      call('DEL', key)
      if entries then call('DEL', entries) end
    end
  end
end
return 1
`);

/** Parameters after the time: the reservation, the lease in milliseconds, and each slot's amount. A slot that was lost is not taken again. */
export const renewScript = script(`${clock}
remember()
local free_at = at + ARGV[3]
for slot = 0, (#KEYS - 1) / 2 - 1 do
  local key, entries = KEYS[2 + slot * 2], KEYS[3 + slot * 2]
  local entry = ARGV[2] .. ':' .. ARGV[4 + slot]
  local score = call('ZSCORE', entries, entry)
  if score and tonumber(score) > at then
    call('ZADD', entries, 'XX', free_at, entry)
    local ends = math.max(free_at, tonumber(call('HGET', key, 'ends') or '') or free_at)
    call('HSET', key, 'ends', ends)
    expire(key, ends)
    expire(entries, ends)
  end
end
return 1
`);

export const forgetScript = script(`
for _, key in ipairs(KEYS) do redis.call('DEL', key) end
return 1
`);
