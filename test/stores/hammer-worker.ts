import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Debit } from "@holdpoint/core";
import { openStore, type StorePlace } from "./open-store.ts";

/** What a process that hammers a store is told, as its first argument in JSON. */
export interface HammerOrders {
  readonly place: StorePlace;
  /** Where arrivals upstream are written down, a line each: what was written before a process is killed stays. */
  readonly arrivals: string;
  readonly clockOffsetMs: number;
  readonly count: Debit;
  readonly amount: Debit;
  readonly slots: Debit;
}

const unit = 1_000_000;

/** Makes calls until nothing fits, as a guard would: reserve, arrive upstream, settle. A process may be killed at any point. */
async function hammer({ place, arrivals, clockOffsetMs, count, amount, slots }: HammerOrders): Promise<void> {
  const { store, close } = await openStore(place);
  const now = () => Date.now() + clockOffsetMs;
  const note = (line: string) => appendFileSync(arrivals, `${process.pid} ${line}\n`);

  async function call(debit: Debit): Promise<"arrived" | "busy" | "exhausted"> {
    const reserved = await store.reserve([debit, slots], now());
    if (!reserved.granted) {
      await sleep(Math.random() * 8);
      return reserved.short.includes(0) ? "exhausted" : "busy";
    }
    await sleep(Math.random() * 3);
    note(`in ${debit.key} ${debit.amount / unit}`);
    await sleep(Math.random() * 3);
    note("out");
    await store.settle(reserved.reservation, [], now());
    return "arrived";
  }

  let counting = true;
  let size = 3;
  while (counting || size > 0) {
    if (counting && (await call(count)) === "exhausted") counting = false;
    // The last of a budget is spent in ones.
    if (size > 0 && (await call({ ...amount, amount: size * unit })) === "exhausted") size = size === 1 ? 0 : 1;
    else if (size > 1) size = 1 + Math.floor(Math.random() * 3);
  }
  await close();
}

await hammer(JSON.parse(process.argv[2] ?? "") as HammerOrders);
