import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import type { SearchInput } from '../../api/search-input.ts';
import { timeRange } from '../../format/durations.ts';
import { shortDigest } from '../../format/ids.ts';
import { whole } from '../../format/numbers.ts';
import { sentence, words } from '../../format/words.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Command, Notice } from '../../ui/notice.tsx';
import { Facts, PageHead, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Count, Time } from '../../ui/text.tsx';
import { askedBy, draftSearch } from './asked.ts';
import { redriveLine } from './command-line.ts';
import { curlFor } from './curl.ts';
import { Execute } from './execute.tsx';
import { howFacts } from './how-facts.ts';
import { PlanEndpoints } from './plan-endpoints.tsx';
import { PlanRisks } from './plan-risks.tsx';
import { filterIn } from './selection.ts';
import { SelectionSentence } from './selection-sentence.tsx';
import { useTimeWords } from './use-time-words.ts';
import type { Words } from './words-fields.tsx';

type Plan = Schema<'Plan'>;

/** A frozen plan: what it would do, its risks, and the way to let it run. */
export function PlanView({ plan, onChange }: { plan: Plan; onChange: (given: Words) => void }) {
  const navigate = useNavigate();
  const time = useTimeWords();
  const queries = useQueryClient();
  const { count, state } = plan;
  const draft = draftSearch(askedBy(plan));
  const keepWords = () => onChange({ reason: plan.reason ?? '', ticket: plan.ticket ?? '' });
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
            {'search' in draft ? (
              <Link to="/recover" search={draft.search} onClick={keepWords} className={buttonClass()}>
                Change it
              </Link>
            ) : (
              <Button refused={draft.refused}>Change it</Button>
            )}
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
      <Standing plan={plan} unchangeable={'refused' in draft ? draft.refused : undefined} />
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
            ...howFacts(plan, time),
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
      <PlanEndpoints
        plan={plan}
        leaveOut={'search' in draft ? leavingOut(plan, draft.search) : undefined}
        onLeaveOut={keepWords}
      />
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
function Standing({ plan, unchangeable }: { plan: Plan; unchangeable: string | undefined }) {
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
        <p>
          Nothing of it was sent.{' '}
          {unchangeable ?? '“Change it” makes a new one of the same selection, done the same way.'}
        </p>
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

/** The draft without one endpoint; undefined where the selection is no filter or has more endpoints than are shown. */
function leavingOut(plan: Plan, search: SearchInput) {
  if (!filterIn(plan.select) || plan.endpoints.length < plan.endpointCount || plan.endpoints.length < 2)
    return undefined;
  return (endpointId: string) => ({
    ...search,
    endpointIds: plan.endpoints.map(({ endpointId: id }) => id).filter((id) => id !== endpointId),
  });
}
