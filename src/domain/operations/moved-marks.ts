import type { Id } from '../tenancy/typed-id.ts';

/** How an operation or an outage stood when it was looked at. */
interface Mark {
  id: Id<'operation' | 'outage'>;
  tenantId: Id<'tenant'>;
  mark: string;
}

/** The tenants of what has moved between two looks: changed, new, or not among those looked at any more. */
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

/** The newest of what was looked at, and of what was known before: ids of later ones sort later. */
export function newestOf(
  marks: readonly Pick<Mark, 'id'>[],
  before: Mark['id'] | undefined,
): Mark['id'] | undefined {
  return marks.reduce((newest, { id }) => (newest === undefined || id > newest ? id : newest), before);
}
