/**
 * A detailed tool for dynamic and reflective problem-solving through thoughts.
 * This tool helps analyze problems through a flexible thinking process that can adapt and evolve.
 * Each thought can build on, question, or revise previous insights as understanding deepens.
 *
 * When to use this tool:
 * - Breaking down complex problems into steps
 * - Planning and design with room for revision
 * - Analysis that might n…
 */
export interface SequentialthinkingArguments {
  /** Your current thinking step */
  thought: string;
  /** Whether another thought step is needed */
  nextThoughtNeeded: boolean | string;
  /** Current thought number (numeric value, e.g., 1, 2, 3) */
  thoughtNumber: number;
  /** Estimated total thoughts needed (numeric value, e.g., 5, 10) */
  totalThoughts: number;
  /** Whether this revises previous thinking */
  isRevision?: boolean | string;
  /** Which thought is being reconsidered */
  revisesThought?: number;
  /** Branching point thought number */
  branchFromThought?: number;
  /** Branch identifier */
  branchId?: string;
  /** If more thoughts are needed */
  needsMoreThoughts?: boolean | string;
}

export interface SequentialThinkingTools {
  sequentialthinking: SequentialthinkingArguments;
}
