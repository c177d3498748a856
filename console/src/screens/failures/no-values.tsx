import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { Notice } from '../../ui/notice.tsx';
import { filterName } from './filter-names.ts';
import { noValuesIn } from './filter-values.ts';

/** Says of a filter with values that are none that it matches nothing, and why; without such values it says nothing. */
export function NoValues({ query }: { query: DeliveryQuery }) {
  const found = noValuesIn(query);
  return found.length === 0 ? null : (
    <Notice tone="bad" title="This filter matches nothing" live>
      <ul>
        {found.map(({ member, why }) => (
          <li key={`${member} ${why}`}>
            {filterName(member)}: {why}
          </li>
        ))}
      </ul>
      <p>Take it away, or put another in its place.</p>
    </Notice>
  );
}
