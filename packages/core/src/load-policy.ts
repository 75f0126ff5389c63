import { PolicyError, type PolicyIssue } from "./policy-error.ts";
import type { PolicyDocument } from "./policy-schema.ts";
import { snapshotPolicy } from "./policy-snapshot.ts";
import { shapeIssues } from "./shape-issues.ts";

export function loadPolicy(input: unknown, options: { functions: boolean }): PolicyDocument {
  const snapshot = snapshotPolicy(input, options);
  const issues = [...snapshot.issues, ...shapeIssues(snapshot.document)];
  if (issues.length > 0) throw new PolicyError(issues);
  return snapshot.document as PolicyDocument;
}
