/** The id of an operation: a plan and its operation are two spellings of one. */
export function operationId(id: string): string {
  return id.startsWith('pln_') ? `op_${id.slice('pln_'.length)}` : id;
}

/** The same id, spelled as that of its plan. */
export function planId(id: string): string {
  return id.startsWith('op_') ? `pln_${id.slice('op_'.length)}` : id;
}
