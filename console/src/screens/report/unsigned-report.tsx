import type { Schema } from '../../api/client.ts';
import { whole } from '../../format/numbers.ts';
import { Notice } from '../../ui/notice.tsx';
import { Facts, Section } from '../../ui/page.tsx';
import { Actor, Time } from '../../ui/text.tsx';
import { Became } from './became.tsx';

/** The result of an operation that was not signed, said to be so. */
export function UnsignedReport({ report, detail }: { report: Schema<'ClosureReport'>; detail: string }) {
  const { operationId: id, counts } = report;
  return (
    <>
      <Notice tone="care" title="This report is not signed">
        <p>{detail}</p>
      </Notice>
      <Became id={id} state={report.state} counts={counts} />
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
