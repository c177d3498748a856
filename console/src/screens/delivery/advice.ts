import type { Schema } from '../../api/client.ts';
import type { Tone } from '../../ui/state.tsx';

/** The safest next step for a delivery, and why. */
export interface Advice {
  tone: Tone;
  title: string;
  next: string;
}

type Delivery = Pick<Schema<'DeliveryDetails'>, 'state' | 'faultCode' | 'waitingFor' | 'executions'>;

/** Says what to do about a delivery as it is now. */
export function adviceFor({ state, faultCode, waitingFor, executions }: Delivery): Advice {
  const mayHaveArrived = executions.at(-1)?.mayHaveArrived === true;
  switch (state) {
    case 'delivered':
      return {
        tone: 'good',
        title: 'Nothing',
        next: 'It was delivered. A replay sends it again, with the same webhook-id.',
      };
    case 'pending':
      return waitingFor.length > 0
        ? {
            tone: 'going',
            title: 'Wait, or lift what it waits for',
            next: 'It is sent by itself once nothing holds it back. A retry that takes it over sends it at once.',
          }
        : { tone: 'going', title: 'Wait', next: 'It is due, and the next sender takes it.' };
    case 'unknown':
      return {
        tone: 'care',
        title: 'Find out whether it arrived',
        next: 'Ask the receiver for this webhook-id, then say what became of it. Only a receiver acknowledges; you settle.',
      };
    case 'failed':
      if (mayHaveArrived)
        return {
          tone: 'care',
          title: 'Ask the receiver before you send it again',
          next: 'An attempt may have arrived. A retry carries the same webhook-id: a receiver that looks at it does nothing twice.',
        };
      return faultCode === 'http_4xx'
        ? {
            tone: 'bad',
            title: 'Correct what the receiver refuses, then retry',
            next: 'It answered that it does not want this. The same again is refused again: read its answer below.',
          }
        : {
            tone: 'bad',
            title: 'Retry it once the endpoint is well',
            next: 'It certainly did not arrive. A retry sends it with the same webhook-id.',
          };
    case 'ignored':
      return {
        tone: 'still',
        title: 'Look why it was left out',
        next: 'Its last execution says the reason. Once that is lifted (an enabled endpoint, a changed filter), retry it.',
      };
    case 'cancelled':
      return {
        tone: 'still',
        title: 'Retry it if it is still wanted',
        next: 'Its operation was cancelled before it was sent.',
      };
    default:
      return { tone: 'still', title: 'Look at its attempts', next: 'They are below.' };
  }
}
