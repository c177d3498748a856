import { DELIVERY_STATES, type DeliveryState } from '../../domain/sending/delivery-state.ts';

/** Where deliveries are read, as SQL; each is there as `d`. */
export interface Read {
  /** All of them, in no order. */
  from: string;
  /** The parts that an index has in order, each by itself. */
  ranges: string[];
  /** The alias of the whole delivery, where that was asked for. */
  whole: string;
}

/** All deliveries there are. */
export const EVERYTHING: Read = { from: 'deliveries d', ranges: ['deliveries d'], whole: 'd' };

/** The columns of `undelivered`, named as in `deliveries`. */
const COLUMNS = [
  ...['u.delivery_id as id', 'u.tenant_id', 'u.endpoint_id', 'u.event_id', 'u.accepted_at', 'u.state'],
  ...['u.fault_code', 'u.http_status', 'u.order_key', 'u.order_number'],
].join(', ');

/**
 * Where the deliveries in some states are read: from `undelivered`, unless delivered ones are among them. With `whole`
 * each row is looked up in `deliveries`, too, as a row has only what most selections ask for.
 */
export function readFrom(states: readonly DeliveryState[], { whole }: { whole: boolean }): Read {
  if (states.includes('delivered')) return EVERYTHING;
  // Lateral with a limit: one look-up each, whatever the planner thinks of the size of the tables.
  const look = whole
    ? ' cross join lateral (select x.* from deliveries x where x.id = d.id limit 1) whole'
    : '';
  const rows = (condition: string) => `(select ${COLUMNS} from undelivered u where ${condition}) d${look}`;
  // As literals: the planner sees that a range is in order, or that an index has just it, only where it knows the state.
  const literals = DELIVERY_STATES.filter((state) => states.includes(state)).map((state) => `'${state}'`);
  const from = rows(literals.length > 0 ? `u.state in (${literals.join(', ')})` : 'false');
  return {
    from,
    ranges: literals.length > 1 ? literals.map((literal) => rows(`u.state = ${literal}`)) : [from],
    whole: 'whole',
  };
}

/** A statement that reads the first `limit` rows of a selection, in an order over columns of `d` that are among `columns`. */
export function inOrder(
  { ranges, where }: Pick<Read, 'ranges'> & { where: string[] },
  { columns, order, limit }: { columns: string; order: string; limit: string },
): string {
  const pages = ranges.map(
    (from) => `select ${columns} from ${from} where ${where.join('\n      and ')}
      order by ${order} limit ${limit}`,
  );
  // Each range by itself: rows of several are in no order that an index has.
  return pages.length === 1
    ? pages.join('')
    : `select * from (${pages.map((page) => `(${page})`).join('\n      union all ')}) d
      order by ${order} limit ${limit}`;
}
