import { useMe } from '../../api/me.tsx';
import { whole } from '../../format/numbers.ts';
import { Field, Fields } from '../../ui/field.tsx';
import { Panel, Section } from '../../ui/page.tsx';

/** Why something is recovered: words of a customer, which stand in no URL. */
export interface Words {
  reason: string;
  ticket: string;
}

/** No words yet. */
export const NO_WORDS: Words = { reason: '', ticket: '' };

/** The words as fields. */
export function WordsFields({ given, onGiven }: { given: Words; onGiven: (given: Words) => void }) {
  const { policy } = useMe();
  const above = policy?.reasonAbove;
  const patterns = policy?.ticketPatterns ?? [];
  return (
    <Section title="Why">
      <Panel>
        <Fields>
          <Field
            label="Reason"
            value={given.reason}
            onValue={(reason) => onGiven({ ...given, reason })}
            maxLength={1_000}
            hint={
              above === null || above === undefined
                ? 'Stands on the report and in the audit.'
                : `Needed above ${whole(above)} deliveries; stands on the report and in the audit.`
            }
          />
          <Field
            label="Ticket"
            value={given.ticket}
            onValue={(ticket) => onGiven({ ...given, ticket })}
            maxLength={255}
            hint={patterns.length > 0 ? `Of the form ${patterns.join(' and ')}.` : 'Where this is tracked.'}
          />
        </Fields>
      </Panel>
    </Section>
  );
}
