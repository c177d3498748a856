import type { Schema } from '../../api/client.ts';
import type { How } from './how-facts.ts';

type Risk = keyof Schema<'PlanRisks'>;

/** What a risk means for its deliveries. */
export interface RiskMeaning {
  tone: 'bad' | 'care' | 'still';
  means: string;
}

/** The gravest first: one that is missing here does not compile. */
const MEANING: Readonly<Record<Risk, RiskMeaning | ((how: How) => RiskMeaning)>> = {
  mayHaveArrived: ({ newIdentity }) => ({
    tone: 'bad',
    means: newIdentity
      ? 'An attempt may have arrived: they may arrive twice, under two webhook-ids.'
      : 'An attempt may have arrived: they may arrive twice, with the same webhook-id.',
  }),
  unknown: { tone: 'care', means: 'Nobody knows their outcome yet: they wait for that.' },
  openElsewhere: ({ newIdentity, options }) => ({
    tone: 'care',
    means:
      options.takeOverScheduled && !newIdentity
        ? 'They are open elsewhere: those that wait there are taken over, the others join that.'
        : 'They are open elsewhere and join that.',
  }),
  heldByPaused: { tone: 'care', means: 'A stopped operation holds them.' },
  alreadyDelivered: ({ kind, newIdentity }) =>
    kind === 'retry'
      ? { tone: 'still', means: 'They are delivered: a retry leaves them alone.' }
      : {
          tone: 'bad',
          means: newIdentity
            ? 'They are delivered: a replay sends them again, under webhook-ids that no receiver knows.'
            : 'They are delivered: a replay sends them again, with the same webhook-id.',
        },
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

/** The risks that a plan can have, the gravest first. */
export const RISKS = Object.keys(MEANING) as Risk[];

/** What a risk means in a plan that is run in this way. */
export function riskMeaning(risk: Risk, how: How): RiskMeaning {
  const meaning = MEANING[risk];
  return typeof meaning === 'function' ? meaning(how) : meaning;
}

/** Why what may arrive twice is noticed, or is not. */
export function repeatWords({ newIdentity }: Pick<How, 'newIdentity'>): string {
  return newIdentity
    ? 'Their receivers may have them already, and under a new webhook-id none of them can notice the repeat.'
    : 'Their receivers may have them already. Those that look at the webhook-id notice it.';
}
