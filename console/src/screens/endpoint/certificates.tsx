import type { Schema } from '../../api/client.ts';
import { type Validity, validityOf } from '../../format/validity.ts';
import { Section } from '../../ui/page.tsx';
import { State, type Tone } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { IdText, Time } from '../../ui/text.tsx';

type Endpoint = Schema<'EndpointDetails'>;

const TONES: Readonly<Record<Validity, Tone>> = {
  not_yet: 'bad',
  valid: 'good',
  runs_out_soon: 'care',
  ran_out: 'bad',
};

/** The certificates of an endpoint, where it has any: by which one tells them apart, and how long they hold. */
export function Certificates({
  endpoint: { caCertificate, clientCertificate },
}: {
  endpoint: Pick<Endpoint, 'caCertificate' | 'clientCertificate'>;
}) {
  const rows = [
    ...(caCertificate ? [{ what: 'trusted authority', ...caCertificate }] : []),
    ...(clientCertificate ? [{ what: 'shown to it', ...clientCertificate }] : []),
  ];
  if (rows.length === 0) return null;
  return (
    <Section title="Certificates">
      <Table
        label="Certificates"
        rows={rows}
        rowKey={({ what }) => what}
        columns={[
          { key: 'what', head: 'What', cell: ({ what }) => what },
          {
            key: 'subject',
            head: 'Whose',
            cell: ({ subject, certificates }) =>
              certificates > 1 ? `${subject}, and ${certificates - 1} more` : subject,
          },
          {
            key: 'state',
            head: 'State',
            cell: (row) => {
              const validity = validityOf(row, new Date());
              return <State state={validity} tone={TONES[validity]} />;
            },
          },
          { key: 'until', head: 'Runs out', cell: ({ validUntil }) => <Time at={validUntil} /> },
          {
            key: 'fingerprint',
            head: 'SHA-256',
            wide: true,
            cell: ({ fingerprint }) => <IdText id={fingerprint} whole />,
          },
        ]}
      />
    </Section>
  );
}
