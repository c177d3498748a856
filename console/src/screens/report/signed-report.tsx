import type { Closure } from '@redrive/client';
import { Link } from '@tanstack/react-router';
import { counted, rate, whole } from '../../format/numbers.ts';
import { haltWords, sentence, words } from '../../format/words.ts';
import { Facts, Section } from '../../ui/page.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Actor, IdText, Quiet, Time } from '../../ui/text.tsx';
import { DID } from '../operation/timeline.tsx';
import { Became } from './became.tsx';

/** A report whose signature holds: every number is from what was signed. */
export function SignedReport({ closure }: { closure: Closure }) {
  return (
    <>
      <Became id={closure.operation} state={closure.state} counts={closure.counts}>
        {closure.mayHaveArrived > 0 ? (
          <p>{whole(closure.mayHaveArrived)} of the failed ones may have arrived: nobody answered.</p>
        ) : null}
      </Became>
      <About closure={closure} />
      <ByEndpoint closure={closure} />
      <Excluded exclusions={closure.exclusions} />
      <Happened timeline={closure.timeline} />
      <Approved approvals={closure.approvals} />
    </>
  );
}

function About({ closure }: { closure: Closure }) {
  const { plan, audit } = closure;
  return (
    <Section title="About it">
      <Facts
        whole={['Hash of the plan']}
        facts={{
          Kind: sentence(closure.kind),
          'Asked for by': <Actor actor={closure.requestedBy} />,
          Reason: closure.reason ?? undefined,
          Ticket: closure.ticket ?? undefined,
          Surface: closure.surface,
          Requests: whole(closure.attempts.total),
          First: <Time at={closure.attempts.firstAt} whole />,
          Last: <Time at={closure.attempts.lastAt} whole />,
          Closed: <Time at={closure.closedAt} whole />,
          'Mean rate': closure.rate.meanPerSecond === null ? undefined : rate(closure.rate.meanPerSecond),
          Plan: plan ? (
            <Link to="/plans/$id/items" params={{ id: plan.id }}>
              {whole(plan.items)} planned
            </Link>
          ) : undefined,
          Installation: closure.installation,
          'Version of Redrive': closure.version,
          'Audit chain': audit ? (
            <Link to="/audit">
              entry {whole(audit.number)}
              {audit.complete ? '' : ', not complete yet when it was signed'}
            </Link>
          ) : undefined,
          'Hash of the plan': plan ? <IdText id={plan.planHash} whole /> : undefined,
        }}
      />
    </Section>
  );
}

function ByEndpoint({ closure }: { closure: Closure }) {
  return (
    <Section title="By endpoint" aside={counted(closure.endpointCount, 'endpoint')}>
      <Table
        label="Endpoints"
        rows={closure.endpoints}
        rowKey={({ endpointId }) => endpointId}
        columns={[
          { key: 'handle', head: 'Endpoint', cell: ({ handle }) => handle },
          {
            key: 'versions',
            head: 'Versions',
            wide: true,
            cell: ({ versions }) => versions.join(', ') || '–',
          },
          {
            key: 'counts',
            head: 'Items',
            cell: ({ counts: at }) =>
              Object.entries(at)
                .map(([state, count]) => `${whole(count)} ${words(state)}`)
                .join(', ') || '–',
          },
          { key: 'attempts', head: 'Requests', right: true, cell: ({ attempts }) => whole(attempts) },
          {
            key: 'faults',
            head: 'Did not deliver for',
            wide: true,
            cell: ({ faults }) =>
              Object.entries(faults)
                .map(([fault, count]) => `${words(fault)} ${whole(count)}`)
                .join(', ') || <Quiet>nothing</Quiet>,
          },
        ]}
      />
    </Section>
  );
}

function Excluded({ exclusions }: Pick<Closure, 'exclusions'>) {
  const reasons = Object.entries(exclusions);
  if (reasons.length === 0) return null;
  return (
    <Section title="Left out, by reason">
      <Table
        label="Exclusions"
        rows={reasons}
        rowKey={([reason]) => reason}
        columns={[
          { key: 'reason', head: 'Reason', cell: ([reason]) => sentence(reason) },
          { key: 'count', head: 'Deliveries', right: true, cell: ([, count]) => whole(count) },
        ]}
      />
    </Section>
  );
}

function Happened({ timeline }: Pick<Closure, 'timeline'>) {
  return (
    <Section title="What happened">
      <Table
        label="Timeline"
        rows={timeline}
        rowKey={({ at, did, by }) => `${at} ${did} ${by}`}
        columns={[
          { key: 'at', head: 'When', cell: ({ at }) => <Time at={at} whole /> },
          {
            key: 'did',
            head: 'What',
            cell: ({ did, halt, ratePerSecond }) =>
              [
                DID[did] ?? sentence(did),
                halt ? haltWords(halt.reason) : undefined,
                ratePerSecond === undefined
                  ? undefined
                  : ratePerSecond === null
                    ? 'no limit'
                    : rate(ratePerSecond),
              ]
                .filter(Boolean)
                .join(': '),
          },
          { key: 'by', head: 'Who', cell: ({ by }) => <Actor actor={by} /> },
        ]}
      />
    </Section>
  );
}

function Approved({ approvals }: Pick<Closure, 'approvals'>) {
  if (approvals.length === 0) return null;
  return (
    <Section title="Approved by">
      <Table
        label="Approvals"
        rows={approvals}
        rowKey={({ at, by, actor }) => `${at} ${by ?? actor}`}
        columns={[
          { key: 'who', head: 'Who', cell: ({ by, actor }) => by ?? actor ?? '–' },
          { key: 'at', head: 'When', cell: ({ at }) => <Time at={at} whole /> },
          { key: 'verdict', head: 'Said', cell: ({ verdict }) => sentence(verdict ?? 'approve') },
        ]}
      />
    </Section>
  );
}
