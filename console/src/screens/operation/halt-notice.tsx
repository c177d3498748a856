import { useEndpointNames } from '../../api/endpoint-names.ts';
import { percent, whole } from '../../format/numbers.ts';
import { haltWords } from '../../format/words.ts';
import { Notice } from '../../ui/notice.tsx';
import { Time } from '../../ui/text.tsx';
import type { Operation } from './operation-screen.tsx';

/** Why an operation stands still, with the numbers, and what to do. */
export function HaltNotice({ operation: { state, halt, stalled } }: { operation: Operation }) {
  const nameOf = useEndpointNames();
  if (state === 'halted' && halt)
    return (
      <Notice tone="bad" title={`Halted: ${haltWords(halt.reason)}`} live>
        <p>
          <Time at={halt.at} whole />
          {halt.attempts === undefined
            ? null
            : ` · ${whole(halt.bad ?? 0)} of ${whole(halt.attempts)} attempts were bad (${percent(halt.bad ?? 0, halt.attempts)}), more than ${halt.limitPercent} %`}
          {halt.step === undefined ? null : ` · step ${halt.step}, code ${halt.code}`}
        </p>
        {halt.endpoints && halt.endpoints.length > 0 ? (
          <ul>
            {halt.endpoints.map(({ endpointId, attempts, bad }) => (
              <li key={endpointId}>
                {nameOf(endpointId)}: {whole(bad)} of {whole(attempts)} bad
              </li>
            ))}
          </ul>
        ) : null}
        <p>
          {halt.reason === 'failed_step'
            ? 'A step of ours failed and would fail again. Look into the log by the code, then resume.'
            : 'Nothing more is sent. Look at what the endpoint answers; resume when it is well, or cancel what is left.'}
        </p>
      </Notice>
    );
  if (stalled)
    return (
      <Notice tone="care" title="It does not move" live>
        <p>Nothing was sent for a while although something is due. Check that a worker runs (GET /readyz).</p>
      </Notice>
    );
  return null;
}
