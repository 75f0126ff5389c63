export function approvalFunctions(schema: string): string {
  return `-- ${schema}
  `;
}
