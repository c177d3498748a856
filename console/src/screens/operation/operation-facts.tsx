import { Link } from '@tanstack/react-router';
import { duration } from '../../format/durations.ts';
import { rate, whole } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import { CopyButton } from '../../ui/copy.tsx';
import { Facts } from '../../ui/page.tsx';
import { Actor, Time } from '../../ui/text.tsx';
import { redriveLine } from '../recover/command-line.ts';
import { curlFor } from '../recover/curl.ts';
import { howFacts } from '../recover/how-facts.ts';
import { useTimeWords } from '../recover/use-time-words.ts';
import type { Operation } from './operation-screen.tsx';
import { useCountdown } from './use-countdown.ts';

/** What one asks first: how fast, until when, what it waits for, who wanted it. */
export function OperationFacts({ operation }: { operation: Operation }) {
  const { nextEvent, waitingFor, etaSeconds, etaLeavesOut } = operation;
  // Its head says the kind, and its limit now is another than the one that it began with.
  const { Kind: _, Rate: __, ...how } = howFacts(operation, useTimeWords());
  const left = useCountdown(nextEvent?.at);
  return (
    <Facts
      whole={['Reason']}
      facts={{
        'Rate limit': operation.ratePerSecond === null ? 'none of its own' : rate(operation.ratePerSecond),
        'Time left':
          operation.closedAt !== null
            ? undefined
            : etaSeconds === null
              ? 'not known'
              : `${duration(etaSeconds * 1_000)}${etaLeavesOut ? `, without ${whole(etaLeavesOut.scheduled)} scheduled and ${whole(etaLeavesOut.unknown)} unknown` : ''}`,
        'Waits for':
          waitingFor.length === 0
            ? undefined
            : waitingFor.map(({ what, until }, at) => (
                <span key={what}>
                  {at === 0 ? '' : ', '}
                  {words(what)}
                  {until === undefined ? null : (
                    <>
                      {' '}
                      until <Time at={until} />
                    </>
                  )}
                </span>
              )),
        'Next event': nextEvent
          ? `${words(nextEvent.what)}${left === undefined ? '' : ` in ${left}`}`
          : undefined,
        ...how,
        'Asked for by': <Actor actor={operation.requestedBy} />,
        Ticket: operation.ticket ?? undefined,
        Began: <Time at={operation.createdAt} whole />,
        Ended: operation.closedAt === null ? undefined : <Time at={operation.closedAt} whole />,
        Plan: operation.plan ? (
          <Link to="/plans/$id/items" params={{ id: operation.plan.id }}>
            {whole(operation.plan.items)} planned
          </Link>
        ) : undefined,
        'As a command': (
          <>
            <CopyButton
              text={redriveLine(['retry', 'watch', operation.id])}
              what="a command that watches this"
              label="Copy as command line"
            />{' '}
            <CopyButton
              text={curlFor(location.origin, 'GET', `/api/v1/retries/${operation.id}`)}
              what="a command that shows this"
              label="Copy as curl"
            />
          </>
        ),
        Reason: operation.reason ?? undefined,
      }}
    />
  );
}
