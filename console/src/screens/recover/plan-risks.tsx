import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Section } from '../../ui/page.tsx';
import { Sign, type Tone } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Quiet } from '../../ui/text.tsx';

type Risks = Schema<'PlanRisks'>;

/** What a risk means for its deliveries. */
const MEANING: Readonly<Record<keyof Risks, { tone: Tone; means: string }>> = {
  mayHaveArrived: {
    tone: 'bad',
    means: 'An attempt may have arrived: they may arrive twice, with the same webhook-id.',
  },
  unknown: { tone: 'care', means: 'Nobody knows their outcome yet: they wait for that.' },
  openElsewhere: { tone: 'care', means: 'They are open elsewhere and join that.' },
  heldByPaused: { tone: 'care', means: 'A stopped operation holds them.' },
  alreadyDelivered: { tone: 'still', means: 'They are delivered: a retry leaves them alone.' },
  endpointDisabled: { tone: 'bad', means: 'Their endpoint is disabled: they are left out.' },
  endpointDeleted: { tone: 'bad', means: 'Their endpoint is deleted: they are left out.' },
  circuitOpen: { tone: 'care', means: 'Their endpoint is left alone for a while.' },
  payloadExpired: { tone: 'bad', means: 'Their payload is gone: send the events again from their source.' },
  payloadExpiresBeforeItsTurn: {
    tone: 'care',
    means: 'Their payload ends before their turn: raise the rate.',
  },
  addressChanged: { tone: 'care', means: 'They were first sent to another address.' },
  secretRotated: { tone: 'still', means: 'They are signed with a newer secret.' },
  filterChanged: { tone: 'still', means: 'Their endpoint chooses events in another way by now.' },
  orderBlocked: { tone: 'care', means: 'A delivery of their key before them is in the way.' },
  awaitsApproval: { tone: 'care', means: 'Somebody else has to approve them first.' },
};

/** The risks of a plan: each number leads to exactly those deliveries. */
export function PlanRisks({ plan }: { plan: Schema<'Plan'> }) {
  const found = risksIn(plan.risks);
  return (
    <Section title="Risks" aside="as they were when the plan was frozen">
      {found.length === 0 ? (
        <Quiet>{plan.state === 'planning' ? 'Not known yet.' : 'None.'}</Quiet>
      ) : (
        <Table
          label="Risks of the plan"
          rows={found}
          rowKey={(risk) => risk}
          columns={[
            {
              key: 'risk',
              head: 'Risk',
              cell: (risk) => (
                <>
                  <Sign tone={MEANING[risk].tone} /> {sentence(risk)}
                </>
              ),
            },
            { key: 'means', head: 'Meaning', wide: true, cell: (risk) => MEANING[risk].means },
            {
              key: 'count',
              head: 'Deliveries',
              right: true,
              cell: (risk) => <RiskCount plan={plan.id} risk={risk} count={plan.risks[risk]} />,
            },
          ]}
        />
      )}
    </Section>
  );
}

/** The risks that a plan can have, the gravest first. */
export const RISKS = Object.keys(MEANING) as (keyof Risks)[];

/** The risks that some deliveries have. */
export function risksIn(risks: Risks): (keyof Risks)[] {
  return RISKS.filter((risk) => risks[risk] > 0);
}

/** A number of deliveries with a risk, as a link to them; approval is about all, and no list of its own. */
export function RiskCount({ plan, risk, count }: { plan: string; risk: keyof Risks; count: number }) {
  return (
    <Link to="/plans/$id/items" params={{ id: plan }} search={risk === 'awaitsApproval' ? {} : { risk }}>
      {whole(count)}
    </Link>
  );
}
