import { HoldpointError } from "../holdpoint-error.ts";

/** One thing that keeps a policy from loading. */
export interface PolicyIssue {
  /** Where, as a JSON Pointer (RFC 6901). A missing key is reported at the object that lacks it, an unknown key at the key itself. */
  readonly pointer: string;
  /** What is wrong. */
  readonly message: string;
  /** What to write instead. */
  readonly fix: string;
}

/** A policy that cannot be fully understood. `issues` holds everything that is wrong with it. */
export class PolicyError extends HoldpointError {
  override name = "PolicyError";
  readonly issues: readonly PolicyIssue[];

  constructor(issues: readonly PolicyIssue[]) {
    const heading = issues.length === 1 ? "the policy does not load" : `the policy does not load, for ${issues.length} reasons`;
    super("policy_invalid", [`${heading}:`, ...issues.map(describeIssue)].join("\n"));
    this.issues = Object.freeze(issues.map((issue) => Object.freeze({ ...issue })));
  }

  static override is(value: unknown): value is PolicyError {
    return HoldpointError.is(value) && value.code === "policy_invalid";
  }
}

function describeIssue({ pointer, message, fix }: PolicyIssue): string {
  return `  ${pointer === "" ? "the document" : pointer}: ${message}: ${fix}`;
}
