import { setTimeout as delay } from 'node:timers/promises';
import { uuidIn } from '../support/api/retries.ts';

/** The pause between two events. */
const EVERY_MS = 250;

/** An event that was answered with 202, and when, in milliseconds of the wall clock. */
interface AcceptedEvent {
  id: string;
  answeredAt: number;
}

/** A sender of events who goes on whatever he is answered, and remembers what was accepted. */
export class LiveEvents {
  readonly #service: { apiUrl: string };
  readonly #key: string;
  readonly #events: AcceptedEvent[] = [];
  readonly #running: Promise<void>;
  #notAccepted = 0;
  #stopping = false;

  /** Begins to send; `service` says at each event where the API is. */
  constructor(service: { apiUrl: string }, key: string) {
    this.#service = service;
    this.#key = key;
    this.#running = this.#run();
  }

  /** Ends with what was answered by 202, and the number of calls that were not. */
  async stop(): Promise<{ events: AcceptedEvent[]; notAccepted: number }> {
    this.#stopping = true;
    await this.#running;
    return { events: this.#events, notAccepted: this.#notAccepted };
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const eventId = await this.#send().catch(() => undefined);
      if (eventId === undefined) this.#notAccepted += 1;
      else this.#events.push({ id: uuidIn('event', eventId), answeredAt: Date.now() });
      await delay(EVERY_MS);
    }
  }

  async #send(): Promise<string | undefined> {
    const answer = await fetch(`${this.#service.apiUrl}/api/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'drill.live', payload: {} }),
    });
    if (answer.status !== 202) return undefined;
    return ((await answer.json()) as { eventId: string }).eventId;
  }
}
