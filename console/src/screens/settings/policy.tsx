import { useState } from 'react';
import type { Schema } from '../../api/client.ts';
import { useMe, useMissing } from '../../api/me.tsx';
import { whole } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import { Button } from '../../ui/button.tsx';
import { Facts, Section } from '../../ui/page.tsx';
import { IdText, Quiet } from '../../ui/text.tsx';
import { PolicyForm } from './policy-form.tsx';

type PolicyInForce = NonNullable<Schema<'Me'>['policy']>;

/** The rules for what may run by itself. */
export function Policy() {
  const { policy } = useMe();
  const [editing, setEditing] = useState(false);
  const missing = useMissing('admin');
  return (
    <Section
      title="Policy"
      aside={
        <Button small needs="admin" onClick={() => setEditing(true)}>
          Change…
        </Button>
      }
    >
      {policy === null ? (
        <Quiet>None: everything that a key may start runs by itself.</Quiet>
      ) : (
        <InForce policy={policy} />
      )}
      {editing && missing === undefined ? <PolicyForm onClose={() => setEditing(false)} /> : null}
    </Section>
  );
}

function InForce({ policy }: { policy: PolicyInForce }) {
  const above = (limit: number | null) => (limit === null ? undefined : `above ${whole(limit)} deliveries`);
  return (
    <Facts
      facts={{
        'Needs a reason': above(policy.reasonAbove),
        'Form of a ticket':
          policy.ticketPatterns.length === 0 ? undefined : policy.ticketPatterns.join(' and '),
        'Needs approval': above(policy.approveAbove),
        'Needs approval where':
          policy.approveWhen.length === 0 ? undefined : policy.approveWhen.map(words).join(', '),
        Approvers: whole(policy.approvers.count),
        ...Object.fromEntries(
          Object.entries(policy.quotas).map(([quota, limit]) => [
            `Quota: ${words(quota)}`,
            limit === null ? undefined : whole(limit),
          ]),
        ),
        'Freeze windows':
          policy.freezeWindows.length === 0
            ? undefined
            : policy.freezeWindows.map(({ zone, days, from, to }) => (
                <div key={`${zone} ${days.join()} ${from}`}>
                  {days.join(', ')} {from}–{to} ({zone})
                </div>
              )),
        'Digest of the policy': <IdText id={policy.digest} />,
      }}
    />
  );
}
