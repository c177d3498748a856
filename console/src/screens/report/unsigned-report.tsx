import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { whole } from '../../format/numbers.ts';
import { Equation } from '../../ui/charts/equation.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Facts, Section } from '../../ui/page.tsx';
import { State } from '../../ui/state.tsx';
import { Actor, Time } from '../../ui/text.tsx';

/** The result of an operation that was not signed, said to be so. */
export function UnsignedReport({ report, detail }: { report: Schema<'ClosureReport'>; detail: string }) {
  const { operationId: id, counts } = report;
  return (
    <>
      <Notice tone="care" title="This report is not signed">
        <p>{detail}</p>
      </Notice>
      <Section title="What became of each delivery" aside={<State state={report.state} />}>
        <Equation
          counts={counts}
          link={(part, children) => (
            <Link to="/operations/$id/items" params={{ id }} search={part ? { state: part } : {}}>
              {children}
            </Link>
          )}
        />
      </Section>
      <Section title="About it">
        <Facts
          facts={{
            'Asked for by': <Actor actor={report.requestedBy} />,
            Reason: report.reason ?? undefined,
            Ticket: report.ticket ?? undefined,
            Requests: whole(report.attempts),
            Closed: <Time at={report.closedAt} whole />,
          }}
        />
      </Section>
    </>
  );
}
