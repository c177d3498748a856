import { whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Notice } from '../../ui/notice.tsx';

/** What changed between a plan and its execution. */
export function Drift({ drift }: { drift: Readonly<Record<string, unknown>> }) {
  const gone = Object.entries((drift.gone ?? {}) as Record<string, number>);
  const changed = Array.isArray(drift.endpointChanged) ? drift.endpointChanged.length : 0;
  const added = typeof drift.added === 'number' ? drift.added : 0;
  return (
    <Notice tone="care" title="Changed since the plan" live>
      <ul>
        {gone.map(([reason, count]) => (
          <li key={reason}>
            {whole(count)} not sent: {sentence(reason).toLowerCase()}
          </li>
        ))}
        {changed === 0 ? null : <li>{whole(changed)} endpoints have another version</li>}
        {added === 0 ? null : <li>{whole(added)} more match by now and are not part of it</li>}
        {gone.length === 0 && changed === 0 && added === 0 ? <li>Nothing.</li> : null}
      </ul>
    </Notice>
  );
}
