import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { deliveryCountQuery } from '../../api/queries.ts';
import { Section } from '../../ui/page.tsx';
import { Count, Figure } from '../../ui/text.tsx';
import styles from './now.module.css';

const NUMBERS: readonly { name: string; query: DeliveryQuery }[] = [
  { name: 'Failed', query: { state: ['failed'] } },
  { name: 'Unknown', query: { state: ['unknown'] } },
  { name: 'Pending', query: { state: ['pending'] } },
  { name: 'Pending over 1 min', query: { state: ['pending'], pendingLongerThanMs: 60_000 } },
  { name: 'Pending over 1 h', query: { state: ['pending'], pendingLongerThanMs: 3_600_000 } },
];

/** How many deliveries stand where, and how old the queue is; each number leads to its list. */
export function Standing() {
  return (
    <Section title="Deliveries">
      <div className={styles.numbers}>
        {NUMBERS.map((number) => (
          <NumberOf key={number.name} {...number} />
        ))}
      </div>
    </Section>
  );
}

function NumberOf({ name, query }: { name: string; query: DeliveryQuery }) {
  const { data, error } = useQuery({ ...deliveryCountQuery(query), refetchInterval: 5_000 });
  return (
    <div className={styles.number}>
      <Link to="/failures" search={{ ...query }} aria-label={`${name}: ${data?.count ?? 'not known'}`}>
        <Figure>{data ? <Count of={data.count} basis={data.basis} /> : error ? '–' : '…'}</Figure>
      </Link>
      <p>{name}</p>
    </div>
  );
}
