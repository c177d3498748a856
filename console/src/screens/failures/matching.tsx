import { useQuery } from '@tanstack/react-query';
import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { deliveryCountQuery } from '../../api/queries.ts';
import { whole } from '../../format/numbers.ts';
import { Count, Time } from '../../ui/text.tsx';

/** Up to so many the API counts exactly, where it has the time. */
const COUNTED_EXACTLY = 100_000;

/** How many match in all, how sure that is and as of when, and how many were picked. */
export function Matching({ query, picked }: { query: DeliveryQuery; picked: number }) {
  const { data, error } = useQuery({
    ...deliveryCountQuery(query),
    // A server that was too busy to count them all is asked again.
    refetchInterval: ({ state }) =>
      state.data?.basis === 'atLeast' && state.data.count < COUNTED_EXACTLY ? 5_000 : false,
  });
  return (
    <span role="status">
      {picked === 0 ? null : `${whole(picked)} picked · `}
      {data ? (
        <>
          <Count of={data.count} basis={data.basis} /> matching, {data.basis === 'exact' ? 'exact ' : ''}as of{' '}
          <Time at={data.asOf} whole />
        </>
      ) : error ? (
        'the number of all that match is not known now'
      ) : (
        'counting…'
      )}
    </span>
  );
}
