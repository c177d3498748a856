import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { duration, timeRange } from '../../format/durations.ts';
import { shortDigest } from '../../format/ids.ts';
import { rate, whole } from '../../format/numbers.ts';
import { sentence, words } from '../../format/words.ts';
import { buttonClass } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Command, Notice } from '../../ui/notice.tsx';
import { Facts, PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Count, Time } from '../../ui/text.tsx';
import { redriveLine } from './command-line.ts';
import { curlFor } from './curl.ts';
import { Execute } from './execute.tsx';
import { paceSearch } from './pace.ts';
import { PlanEndpoints } from './plan-endpoints.tsx';
import { PlanRisks } from './plan-risks.tsx';
import { filterIn, selectionSearch } from './selection.ts';
import { SelectionSentence } from './selection-sentence.tsx';

type Plan = Schema<'Plan'>;

/** A frozen plan: what it would do, its risks, and the way to let it run. */
export function PlanView({ plan }: { plan: Plan }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { count, state } = plan;
  const ready = state === 'planned' && plan.planHash !== null;
  const refused = !ready
    ? state === 'planning'
      ? 'The plan is still being made.'
      : 'This plan does not wait for anybody any more.'
    : count.items === 0
      ? 'Nothing matches: there is nothing to run.'
      : undefined;
  return (
    <>
      <PageHead
        title="Recover"
        beside={<State state={state} />}
        about="What is shown here is what runs: nothing that it does not hold is sent."
        actions={
          <>
            <Link to="/recover" search={draftOf(plan)} className={buttonClass()}>
              Change it
            </Link>
            <Execute
              plan={plan}
              refused={refused}
              onDone={(operationId) => {
                void queries.invalidateQueries({ queryKey: ['operations'] });
                void navigate({ to: '/operations/$id', params: { id: operationId } });
              }}
            />
          </>
        }
      />
      <Standing plan={plan} />
      <Section title="What">
        <SelectionSentence selection={plan.select} />
      </Section>
      <Section title="The plan" aside={<Expiry plan={plan} />}>
        <Facts
          facts={{
            Deliveries: (
              <Link to="/plans/$id/items" params={{ id: plan.id }}>
                <Count of={count.items} basis={count.basis} />
              </Link>
            ),
            'Would be sent': whole(count.sends),
            'Left out': whole(count.items - count.sends),
            'Time to finish': plan.timeToFinish ? timeRange(plan.timeToFinish) : 'not known',
            Rate:
              plan.options.ratePerSecond === undefined
                ? 'no limit of its own'
                : rate(plan.options.ratePerSecond),
            Canary: plan.options.canary
              ? `${plan.options.canary.count} of each endpoint, held above ${plan.options.canary.maxFailurePercent} % bad`
              : 'none',
            Ramp: plan.options.ramp
              ? `from ${rate(plan.options.ramp.startPerSecond)}, doubled every ${duration(1_000 * plan.options.ramp.everySeconds)}`
              : 'none',
            Halt:
              plan.options.haltAtFailurePercent === undefined
                ? 'never'
                : `above ${plan.options.haltAtFailurePercent} % bad of the last minute`,
            'Sent to': plan.target === 'current' ? 'endpoints as they are now' : 'endpoints as they were',
            'Left to live traffic': `${plan.liveHeadroomPercent} % of each endpoint`,
            Reason: plan.reason ?? undefined,
            Ticket: plan.ticket ?? undefined,
            Hash:
              plan.planHash === null ? undefined : (
                <>
                  <code title={plan.planHash}>{shortDigest(plan.planHash)}</code>{' '}
                  <CopyButton text={plan.planHash} what="the hash of the plan" />
                </>
              ),
          }}
        />
      </Section>
      <PlanRisks plan={plan} />
      <PlanEndpoints plan={plan} leaveOut={leavingOut(plan)} />
      {plan.planHash === null ? null : (
        <Section title="The same as a command">
          <Command text={redriveLine(['retry', 'execute', plan.id, '--hash', plan.planHash])} />
          <Command
            text={curlFor(location.origin, 'POST', `/api/v1/retries/plans/${plan.id}/execute`, {
              planHash: plan.planHash,
            })}
          />
        </Section>
      )}
    </>
  );
}

/** What became of a plan that does not wait any more, or the making of one. */
function Standing({ plan }: { plan: Plan }) {
  if (plan.state === 'planning')
    return (
      <Notice tone="going" title={`Looking at deliveries: ${whole(plan.count.items)} so far`} live>
        <p>Nothing is sent. The numbers below become exact when all have been looked at.</p>
      </Notice>
    );
  if (plan.driftTooLarge)
    return (
      <Notice tone="care" title="Too much changed since this plan was made" live>
        <p>
          {whole(Object.values(plan.driftTooLarge.gone).reduce((sum, count) => sum + count, 0))} of it would
          not be sent any more. Look at it again, or freeze a new plan.
        </p>
      </Notice>
    );
  if (plan.endedFor !== null)
    return (
      <Notice tone="care" title={`This plan has ended: ${words(plan.endedFor)}`}>
        <p>Nothing of it was sent. “Change it” makes a new one of the same selection.</p>
      </Notice>
    );
  if (plan.state !== 'planned')
    return (
      <Notice tone="going" title={`It goes on as an operation: ${sentence(plan.state).toLowerCase()}`}>
        <p>
          <Link to="/operations/$id" params={{ id: plan.operationId }}>
            Open the operation
          </Link>
        </p>
      </Notice>
    );
  return null;
}

function Expiry({ plan }: { plan: Plan }) {
  if (plan.state !== 'planned' || plan.expiresAt === null) return null;
  return (
    <>
      waits until <Time at={plan.expiresAt} whole />
    </>
  );
}

/** The URL of the same as a draft. */
function draftOf({ select, options, target, kind }: Plan) {
  return {
    ...selectionSearch(select),
    // A plan that was made elsewhere has no more limits than it has.
    ...paceSearch(options),
    ...(target === 'original' ? { target } : {}),
    ...(kind === 'replay' ? { mode: kind } : {}),
  };
}

/** The draft without one endpoint; undefined where the selection is no filter or has more endpoints than are shown. */
function leavingOut(plan: Plan) {
  if (!filterIn(plan.select) || plan.endpoints.length < plan.endpointCount || plan.endpoints.length < 2)
    return undefined;
  return (endpointId: string) => ({
    ...draftOf(plan),
    endpointIds: plan.endpoints.map(({ endpointId: id }) => id).filter((id) => id !== endpointId),
  });
}
