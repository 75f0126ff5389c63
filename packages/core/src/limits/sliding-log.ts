/**
 * What was taken from one sliding counter, exactly: one entry for each millisecond in which something was taken, oldest first. Entries before `head`
 * have left the window; they are cut off when they are as many as the rest, so that each is moved once.
 */
export interface SlidingLog {
  times: number[];
  amounts: number[];
  head: number;
}

export function slidingLog(): SlidingLog {
  return { times: [], amounts: [], head: 0 };
}

/** How many milliseconds of the window hold an entry. */
export function logSize(log: SlidingLog): number {
  return log.times.length - log.head;
}

/** The time of the newest entry, `-Infinity` in an empty log. */
export function newestEntry(log: SlidingLog): number {
  return log.times.at(-1) ?? Number.NEGATIVE_INFINITY;
}

/** Adds an amount at `at`, which is no earlier than any entry. */
export function logAmount(log: SlidingLog, at: number, amount: number): void {
  const newest = log.times.length - 1;
  if (newest >= log.head && log.times[newest] === at) {
    log.amounts[newest] = (log.amounts[newest] ?? 0) + amount;
    return;
  }
  log.times.push(at);
  log.amounts.push(amount);
}

/** Drops the entries at or before `until`, and answers their sum. */
export function dropEntries(log: SlidingLog, until: number): number {
  let dropped = 0;
  while (log.head < log.times.length && (log.times[log.head] ?? 0) <= until) {
    dropped += log.amounts[log.head] ?? 0;
    log.head += 1;
  }
  if (log.head > 0 && log.head * 2 >= log.times.length) {
    log.times.splice(0, log.head);
    log.amounts.splice(0, log.head);
    log.head = 0;
  }
  return dropped;
}

/** Takes an amount out of the entry at `at`, and answers how much was there to take: nothing if the entry has left the window. */
export function giveBackAmount(log: SlidingLog, at: number, amount: number): number {
  let low = log.head;
  let high = log.times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log.times[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  if (log.times[low] !== at) return 0;
  const there = log.amounts[low] ?? 0;
  const taken = Math.min(there, amount);
  log.amounts[low] = there - taken;
  return taken;
}

/** The time of the entry with whose end, and those before it, at least `amount` is free again; `undefined` where the whole log holds less. */
export function entryThatFrees(log: SlidingLog, amount: number): number | undefined {
  let freed = 0;
  for (let index = log.head; index < log.times.length; index += 1) {
    freed += log.amounts[index] ?? 0;
    if (freed >= amount) return log.times[index];
  }
  return undefined;
}
