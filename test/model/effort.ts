/** How many cases a test makes: the given number, or as many times more as `HOLDPOINT_FUZZ` says. */
export function cases(usual: number): number {
  return usual * Number(process.env["HOLDPOINT_FUZZ"] ?? 1);
}
