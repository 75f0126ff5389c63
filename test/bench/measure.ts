/** One thing to measure: what it is called, and one turn of it. */
export interface Candidate {
  readonly name: string;
  readonly run: () => unknown;
  /** Turns are awaited one by one. */
  readonly awaited?: boolean;
}

export interface Measured {
  readonly name: string;
  /** Median time of one turn, in microseconds. Quote ratios of one run, not this. */
  readonly us: number;
  /** Half of the distance between the quartiles, relative to the median. */
  readonly spread: number;
}

/** Results are read here, so that no engine can leave a turn out. */
let sink: unknown;

/**
 * Measures the candidates in turns of one run: every round runs each of them, in an order that is reversed from round to round, so that whatever else
 * the machine does falls on all alike.
 */
export async function measure(
  candidates: readonly Candidate[],
  { rounds = 21, turnMs = 20, warmMs = 1_000 } = {},
): Promise<readonly Measured[]> {
  const counts = new Map<Candidate, number>();
  // What is compared is code that the engine has optimised, and long paths take it longer than short ones.
  for (const candidate of candidates) await turnsWithin(candidate, warmMs);
  for (const candidate of candidates) counts.set(candidate, await turnsWithin(candidate, turnMs));
  const times = new Map<Candidate, number[]>(candidates.map((candidate) => [candidate, []]));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? candidates : candidates.toReversed();
    for (const candidate of order) {
      const turns = counts.get(candidate) ?? 1;
      times.get(candidate)?.push((await timed(candidate, turns)) / turns);
    }
  }
  return candidates.map((candidate) => {
    const sorted = (times.get(candidate) ?? []).toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
    return { name: candidate.name, us: at(0.5) * 1000, spread: (at(0.75) - at(0.25)) / 2 / at(0.5) };
  });
}

async function turnsWithin(candidate: Candidate, ms: number): Promise<number> {
  let turns = 16;
  for (;;) {
    const took = await timed(candidate, turns);
    if (took >= ms) return turns;
    turns = took < ms / 8 ? turns * 8 : Math.ceil((turns * ms * 1.2) / took);
  }
}

async function timed({ run, awaited }: Candidate, turns: number): Promise<number> {
  const started = performance.now();
  if (awaited) for (let turn = 0; turn < turns; turn++) sink = await run();
  else for (let turn = 0; turn < turns; turn++) sink = run();
  return performance.now() - started;
}

/** One question and its measurement, run at once. */
export async function bench(question: string, body: () => Promise<void>): Promise<void> {
  console.log(`\n── ${question}`);
  await body();
}

/** Prints a table of times and of ratios to the candidate called `base`. */
export function report(title: string, measured: readonly Measured[], base: string): void {
  const one = measured.find(({ name }) => name === base)?.us ?? Number.NaN;
  const width = Math.max(...measured.map(({ name }) => name.length));
  const rows = measured.map(
    ({ name, us, spread }) =>
      `  ${name.padEnd(width)}  ${us.toFixed(3).padStart(10)} µs ±${(spread * 100).toFixed(0).padStart(2)} %  ${(us / one).toFixed(2).padStart(8)} ×`,
  );
  console.log(`\n${title} (× ${base})\n${rows.join("\n")}`);
  if (sink === "never") console.log(sink);
}
