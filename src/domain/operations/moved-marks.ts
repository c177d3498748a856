import type { Id } from '../tenancy/typed-id.ts';

/** How an operation stood when it was looked at. */
interface Mark {
  id: Id<'operation'>;
  tenantId: Id<'tenant'>;
  mark: string;
}

/** The tenants of operations that have moved between two looks: changed, new, or not among those looked at any more. */
export function tenantsMoved(before: readonly Mark[], now: readonly Mark[]): Id<'tenant'>[] {
  const known = new Map(before.map((each) => [each.id, each]));
  const moved = new Set<Id<'tenant'>>();
  for (const { id, tenantId, mark } of now) {
    if (known.get(id)?.mark !== mark) moved.add(tenantId);
    known.delete(id);
  }
  for (const { tenantId } of known.values()) moved.add(tenantId);
  return [...moved];
}

/** The newest of some operations, and of one that was known before: ids of later ones sort later. */
export function newestOf(
  marks: readonly Pick<Mark, 'id'>[],
  before: Id<'operation'> | undefined,
): Id<'operation'> | undefined {
  return marks.reduce((newest, { id }) => (newest === undefined || id > newest ? id : newest), before);
}
