import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Section } from '../../ui/page.tsx';
import { Sign } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Quiet } from '../../ui/text.tsx';
import { RISKS, riskMeaning } from './risk-words.ts';

type Risks = Schema<'PlanRisks'>;

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
                  <Sign tone={riskMeaning(risk, plan).tone} /> {sentence(risk)}
                </>
              ),
            },
            { key: 'means', head: 'Meaning', wide: true, cell: (risk) => riskMeaning(risk, plan).means },
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
