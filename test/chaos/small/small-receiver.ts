import { verifyWebhook } from '../../../clients/typescript/src/index.ts';
import { type Receiver, startReceiver } from '../../support/receivers/receiver.ts';
import { type Behaviour, hang, ok, reset, slow, status } from '../../support/receivers/receiver-behaviour.ts';
import type { SmallRequest } from './evidence.ts';
import { fateOf, type Scenario, type SmallAnswer } from './scenario.ts';

const LISTENER = '/told';

/** The receiver of a seed, which treats each request by the fate of its delivery, and knows how many it has had. */
export class SmallReceiver {
  readonly receiver: Receiver;
  readonly #scenario: Scenario;
  readonly #had = new Map<string, number>();
  #received = 0;
  #moments: { received: number; then: () => void }[] = [];

  private constructor(scenario: Scenario, receiver: Receiver) {
    this.#scenario = scenario;
    this.receiver = receiver;
    for (const [at, { slowMs }] of scenario.endpoints.entries())
      receiver.switchTo(this.#behaviour(at, slowMs), this.pathOf(at));
  }

  static async start(scenario: Scenario): Promise<SmallReceiver> {
    return new SmallReceiver(scenario, await startReceiver(ok));
  }

  /** Requests of the endpoints of the scenario so far. */
  get received(): number {
    return this.#received;
  }

  /** The path of an endpoint, or of who is told of operations. */
  pathOf(endpoint: number | 'listener'): string {
    return endpoint === 'listener' ? LISTENER : `/e${endpoint}`;
  }

  /** Does something when so many requests have come, while the last of them waits for its answer. */
  when(received: number, then: () => void): void {
    this.#moments.push({ received, then });
  }

  /** Operations of which the listener was told: one for each id under which it was told. */
  told(): string[] {
    const told = new Map<string, string>();
    for (const { path, id = '', body } of this.receiver.requests)
      if (path === LISTENER) told.set(id, JSON.parse(body.toString('utf8')).data.operationId);
    return [...told.values()];
  }

  /** All requests, in the order of their arrival. */
  requests(secrets: readonly string[], listenerSecret: string): SmallRequest[] {
    return this.receiver.requests.map(({ id = '', path, headers, body, at, answered }) => {
      const endpoint = path === LISTENER ? -1 : Number(path.slice('/e'.length));
      const forged = faultOfSignature(headers, body, endpoint < 0 ? listenerSecret : secrets[endpoint], at);
      return {
        ...{ id, endpoint, at },
        n: (JSON.parse(body.toString('utf8')) as { n?: number }).n ?? null,
        attempt: Number(headers['redrive-attempt']),
        ...(answered === undefined ? {} : { answered }),
        ...(forged === undefined ? {} : { forged }),
      };
    });
  }

  #behaviour(endpoint: number, slowMs: number): Behaviour {
    const good = slowMs > 0 ? slow(slowMs) : ok;
    const answers: Record<SmallAnswer, Behaviour> = {
      ...{ ok: good, hang, reset, refuse: status(422), error: status(500), busy: status(503) },
    };
    return {
      answer: (response) => {
        // Its receiver answers a request as soon as it has written it down.
        const { id = '', body } = this.receiver.requests.at(-1) ?? {};
        const { n } = JSON.parse(body?.toString('utf8') ?? '{}') as { n: number };
        const had = this.#had.get(id) ?? 0;
        this.#had.set(id, had + 1);
        const { before, last } = fateOf(this.#scenario, endpoint, n);
        this.#received += 1;
        const due = this.#moments.filter(({ received }) => received <= this.#received);
        this.#moments = this.#moments.filter((moment) => !due.includes(moment));
        for (const { then } of due) then();
        answers[before[had] ?? last].answer(response);
      },
    };
  }
}

function faultOfSignature(
  headers: Record<string, string | string[] | undefined>,
  body: Buffer,
  secret: string | undefined,
  at: number,
): string | undefined {
  try {
    verifyWebhook({ body, headers, secret: secret ?? '', now: at });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
