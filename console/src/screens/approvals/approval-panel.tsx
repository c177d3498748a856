import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schema } from '../../api/client.ts';
import { useMe } from '../../api/me.tsx';
import { planQuery } from '../../api/queries.ts';
import { timeRange } from '../../format/durations.ts';
import { whole } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Field, Fields } from '../../ui/field.tsx';
import { Refusal } from '../../ui/notice.tsx';
import { Facts, Panel, Stack, Toolbar } from '../../ui/page.tsx';
import { Actor, IdText, Time } from '../../ui/text.tsx';
import type { Operation } from '../operation/operation-screen.tsx';
import { howFacts } from '../recover/how-facts.ts';
import { PlanEndpoints } from '../recover/plan-endpoints.tsx';
import { PlanRisks } from '../recover/plan-risks.tsx';
import { SelectionSentence } from '../recover/selection-sentence.tsx';
import { useTimeWords } from '../recover/use-time-words.ts';
import { type Said, type Saying, say } from './say.ts';

/** What an operation waits for, what it would do, and the ways to say yes or no. */
export function ApprovalPanel({ operation, approval }: { operation: Operation; approval: Approval }) {
  const planId = operation.plan?.id;
  const plan = useQuery({ ...planQuery(planId ?? ''), enabled: planId !== undefined });
  const time = useTimeWords();
  const { needed, given } = approval.approvers;
  return (
    <Panel>
      <Stack>
        <SelectionSentence selection={operation.select} />
        <Facts
          facts={{
            Deliveries: planId ? (
              <Link to="/plans/$id/items" params={{ id: planId }}>
                {whole(operation.plan?.items ?? 0)}
              </Link>
            ) : (
              whole(operation.counts.expected)
            ),
            'Would be sent': plan.data ? whole(plan.data.count.sends) : undefined,
            'Time to finish': plan.data?.timeToFinish ? timeRange(plan.data.timeToFinish) : undefined,
            ...howFacts(operation, time),
            'Left to live traffic': plan.data
              ? `${plan.data.liveHeadroomPercent} % of each endpoint`
              : undefined,
            'Asked for by': <Actor actor={operation.requestedBy} />,
            Reason: operation.reason ?? undefined,
            Ticket: operation.ticket ?? undefined,
            Because: approval.because.map(words).join(', ') || undefined,
            Missing: approval.missing.length === 0 ? undefined : approval.missing.join(', '),
            Approvals: `${given} of ${needed}`,
            'Waits since': <Time at={approval.openedAt} whole />,
            'Hash of the plan': <IdText id={approval.planHash} whole />,
          }}
        />
        {approval.verdicts.length === 0 ? null : (
          <ul>
            {approval.verdicts.map(({ verdict, by, at, comment }) => (
              <li key={`${by} ${at}`}>
                {by} said {verdict}, <Time at={at} />
                {comment === null ? '' : `: ${comment}`}
              </li>
            ))}
          </ul>
        )}
        {plan.data ? (
          <>
            <PlanRisks plan={plan.data} />
            <PlanEndpoints plan={plan.data} />
          </>
        ) : null}
        <Verdicts operation={operation} approval={approval} />
      </Stack>
    </Panel>
  );
}

type Approval = Schema<'Approval'>;

function Verdicts({
  operation: { id, requestedBy },
  approval,
}: {
  operation: Operation;
  approval: Approval;
}) {
  const me = useMe();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Saying>();
  const saying = useMutation({
    mutationFn: (said: Said) => say(id, approval.planHash, said),
    onSuccess: () => {
      setAsked(undefined);
      void queries.invalidateQueries({ queryKey: ['operations'] });
      return queries.invalidateQueries({ queryKey: ['operation', id] });
    },
  });
  const own = requestedBy === me.actor ? 'Nobody approves what they have asked for themselves.' : undefined;
  const silent = approval.missing.length > 0 ? 'Its reason or ticket is missing first.' : undefined;
  return (
    <>
      <Toolbar>
        {approval.approvers.needed > 0 ? (
          <Button
            look="primary"
            needs="approve:retries"
            refused={own ?? silent}
            onClick={() => setAsked('approve')}
          >
            Approve…
          </Button>
        ) : null}
        <Button look="danger" needs="approve:retries" onClick={() => setAsked('reject')}>
          Reject…
        </Button>
        {approval.missing.length > 0 ? (
          <Button needs="recover:plans" onClick={() => setAsked('explain')}>
            Say why…
          </Button>
        ) : null}
        <Button needs="approve:emergency" onClick={() => setAsked('emergency')}>
          It cannot wait…
        </Button>
      </Toolbar>
      {asked === undefined ? null : (
        <Say
          key={asked}
          verb={asked}
          busy={saying.isPending}
          error={saying.error}
          onClose={() => {
            saying.reset();
            setAsked(undefined);
          }}
          onSay={saying.mutate}
        />
      )}
    </>
  );
}

const SAYINGS: Readonly<
  Record<Saying, { title: string; about: string; verb: string; label: string; needed: boolean }>
> = {
  approve: {
    title: 'Approve it?',
    about:
      'By the hash of the plan that you have looked at. With the last approval it begins, after a look at what has changed.',
    verb: 'Approve',
    label: 'Comment',
    needed: false,
  },
  reject: {
    title: 'Reject it?',
    about: 'One rejection ends it. Nothing of it was sent.',
    verb: 'Reject',
    label: 'Why not',
    needed: true,
  },
  emergency: {
    title: 'Let it run without approval?',
    about: 'That is an entry of its own in the audit, and stays on the report.',
    verb: 'Let it run',
    label: 'Why it cannot wait',
    needed: true,
  },
  explain: {
    title: 'Say why',
    about: 'The policy wants these words before anything is sent.',
    verb: 'Say so',
    label: 'Reason',
    needed: false,
  },
};

function Say({
  verb,
  busy,
  error,
  onClose,
  onSay,
}: {
  verb: Saying;
  busy: boolean;
  error: unknown;
  onClose: () => void;
  onSay: (said: Said) => void;
}) {
  const [text, setText] = useState('');
  const [ticket, setTicket] = useState('');
  const saying = SAYINGS[verb];
  const said = { verb, text: text.trim(), ticket: ticket.trim() };
  const lacking =
    (saying.needed && said.text === '') || (verb === 'explain' && said.text === '' && said.ticket === '');
  return (
    <Dialog
      open
      onClose={onClose}
      title={saying.title}
      about={<p>{saying.about}</p>}
      actions={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button
            look={verb === 'reject' ? 'danger' : 'primary'}
            type="submit"
            form="say"
            busy={busy}
            refused={lacking ? 'Say it in words first.' : undefined}
          >
            {saying.verb}
          </Button>
        </>
      }
    >
      <form
        id="say"
        onSubmit={(event) => {
          event.preventDefault();
          if (!lacking && !busy) onSay(said);
        }}
      >
        <Fields>
          <Field label={saying.label} value={text} onValue={setText} maxLength={1_000} />
          {verb === 'explain' ? (
            <Field label="Ticket" value={ticket} onValue={setTicket} maxLength={255} />
          ) : null}
        </Fields>
      </form>
      {error ? <Refusal error={error} /> : null}
    </Dialog>
  );
}
