import { loadPolicy, type PolicyDocument } from "@holdpoint/core";
import { type Mutant, mutatePolicy } from "./mutate-policy.ts";

/** A mutant that means the same as the policy, so that no test can notice it. */
export interface EquivalentMutant {
  /** The `id` of the mutant. */
  readonly id: string;
  /** Why no call can tell the two apart. */
  readonly reason: string;
}

export interface MutationReport {
  /** How many mistakes were tried, those declared equivalent not counted. */
  readonly tried: number;
  readonly noticed: number;
  /** The mistakes that no test noticed. */
  readonly survivors: readonly Mutant[];
  /** The report as text: what survived, and where. */
  readonly text: string;
}

/**
 * Runs a suite against the policy, where it must pass, and then against each mutant, where it must fail: a mutant that passes is a mistake that no test would
 * notice. The suite fails by throwing or rejecting, as assertions do.
 *
 * Throws where the suite fails on the policy itself, and where `equivalent` names a mutant that does not exist, or that the suite notices after all.
 *
 * @example
 * const report = await checkMutants(policy, async (policy) => {
 *   const refunds = policyTest(policy);
 *   await expect(refunds).toDeny({ tool: "create_refund", arguments: { amount: 100_01 } });
 * });
 * expect(report.survivors, report.text).toEqual([]);
 */
export async function checkMutants(
  policy: PolicyDocument,
  suite: (policy: PolicyDocument) => void | Promise<void>,
  { equivalent = [] }: { readonly equivalent?: readonly EquivalentMutant[] } = {},
): Promise<MutationReport> {
  await suite(loadPolicy(policy));
  const mutants = mutatePolicy(policy);
  const reasons = new Map(equivalent.map(({ id, reason }) => [id, reason]));
  for (const id of reasons.keys()) {
    if (!mutants.some((mutant) => mutant.id === id)) throw new Error(`\`equivalent\` names \`${id}\`, and there is no such mutant`);
  }
  const survivors: Mutant[] = [];
  for (const mutant of mutants) {
    const noticed = await notices(suite, mutant.policy);
    const declared = reasons.has(mutant.id);
    if (declared && noticed) throw new Error(`\`equivalent\` names \`${mutant.id}\`, and a test tells it apart: take it out of the list`);
    if (!declared && !noticed) survivors.push(mutant);
  }
  const tried = mutants.length - reasons.size;
  return { tried, noticed: tried - survivors.length, survivors, text: textOf(tried, survivors) };
}

async function notices(suite: (policy: PolicyDocument) => void | Promise<void>, mutant: PolicyDocument): Promise<boolean> {
  try {
    await suite(mutant);
    return false;
  } catch {
    return true;
  }
}

function textOf(tried: number, survivors: readonly Mutant[]): string {
  const mistakes = tried === 1 ? "1 mistake" : `${tried} mistakes`;
  if (survivors.length === 0) return `${mistakes} tried, and a test noticed each`;
  const lines = survivors.map(({ id }) => `  ${id}`);
  return [`${mistakes} tried, and no test noticed ${survivors.length}:`, ...lines].join("\n");
}
