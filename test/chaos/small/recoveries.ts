import { setTimeout as delay } from 'node:timers/promises';
import { verifyReport } from '../../../clients/typescript/src/index.ts';
import { type Id, readId, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { patient } from '../../support/patience.ts';
import type { SmallClient } from './client.ts';
import type { SmallReport } from './evidence.ts';
import type { Beside, Scenario } from './scenario.ts';

const PATH = '/api/v1/retries';
const LOOK_MS = 50;

/** The keys of a seed's tenant: of who asks, and of who approves. */
export interface SmallKeys {
  key: string;
  approver: string;
}

/** Asks for what the scenario names, as clients do that ask again where nobody answers. */
export class Recoveries {
  /** Operations that were asked for. */
  asked = 0;
  /** Requests that had been received when the recovery was executed or approved. */
  sentBefore = 0;
  readonly #client: SmallClient;
  readonly #scenario: Scenario;
  readonly #keys: SmallKeys;
  readonly #received: () => number;
  #recovery: string | undefined;

  constructor(client: SmallClient, scenario: Scenario, keys: SmallKeys, received: () => number) {
    this.#client = client;
    this.#scenario = scenario;
    this.#keys = keys;
    this.#received = received;
  }

  /** Begins the recovery of the scenario. */
  async begin(): Promise<void> {
    const { recovery, ratePerSecond } = this.#scenario;
    const body = {
      select: { filter: { state: ['failed'] } },
      ...(recovery === 'replay' || recovery === 'new_identity' ? { mode: 'replay' } : {}),
      ...(recovery === 'new_identity' ? { newIdentity: true } : {}),
      ...(ratePerSecond === undefined ? {} : { options: { ratePerSecond } }),
    };
    if (recovery === 'plan') this.#recovery = await this.#plan(body);
    else this.#recovery = await this.#start(body, () => this.#noteSent());
  }

  /** Does something beside it; `deliveryIds` are those of the recovery, by their number. */
  async beside(act: Beside, deliveryIds: readonly string[]): Promise<void> {
    const { key } = this.#keys;
    const id = this.#recovery;
    switch (act.do) {
      case 'pause':
        await this.#control(id, 'pause');
        return this.#control(id, 'resume');
      case 'cancel':
        await this.#control(id, 'cancel');
        await this.#until(`${PATH}/${id}`, ({ closedAt }) => closedAt !== null);
        // What nobody knows the outcome of when an operation is cancelled waits for somebody who says it.
        await this.#client.get('POST', '/api/v1/deliveries/resolve', {
          key: this.#keys.key,
          body: {
            select: { filter: {} },
            // Under a policy it is not sent again at once: the retry of what is left waits for approval.
            outcome: this.#scenario.recovery === 'approval' ? 'failed' : 'retry',
            reason: 'cancelled',
            confirm: true,
          },
        });
        // At once: what is left behind keeps others of its key waiting.
        await this.#start({ select: { remainderOf: id } });
        return;
      case 'rate':
        return this.#control(id, 'rate', { ratePerSecond: act.ratePerSecond });
      case 'single':
        for (const n of new Set(act.ns))
          await this.#start({
            select: { deliveryIds: [deliveryIds[n]] },
            options: { takeOverScheduled: true },
          });
        return;
      case 'again':
        await this.#start({
          select: { filter: {} },
          options: { takeOverScheduled: act.takeOverScheduled },
        });
        return;
      case 'publish':
        await this.#client.get('POST', '/api/v1/events', {
          key,
          body: Array.from({ length: act.events }, (_, at) => ({
            id: `first-${at}`,
            type: 'small.first',
            key: `key-${at % 7}`,
            payload: { n: this.#scenario.items + at },
          })),
        });
    }
  }

  /** The report of an operation with its ledger, checked by the code that anybody can have. */
  async report(operationId: Id<'operation'>): Promise<SmallReport> {
    const { key } = this.#keys;
    const path = `${PATH}/${showId('operation', operationId)}`;
    const { body: report } = await this.#client.ask('GET', `${path}/report`, {
      ...{ key, headers: { accept: 'application/jose+json' } },
    });
    const { text: items } = await this.#client.ask('GET', `${path}/items`, {
      ...{ key, headers: { accept: 'application/x-ndjson' } },
    });
    const { body: keys } = await this.#client.ask('GET', '/.well-known/redrive/jwks.json', { key });
    const verdict = await verifyReport({ report, keys, items, operation: showId('operation', operationId) });
    const lines = items.split('\n').filter((line) => line !== '');
    const delivered = lines
      .map((line) => JSON.parse(line))
      .filter(({ kind, state }) => kind !== 'exclusion' && state === 'delivered')
      .map(({ deliveryId, newDeliveryId }) => newDeliveryId ?? deliveryId);
    return { operationId, delivered, ...(verdict.ok ? {} : { fault: verdict.why }) };
  }

  #noteSent(): void {
    this.sentBefore = this.#received();
  }

  async #control(id: string | undefined, verb: string, body?: object): Promise<void> {
    // It may have ended, or wait for approval: then it is told so.
    await this.#client.ask('POST', `${PATH}/${id}/${verb}`, { key: this.#keys.key, body });
  }

  /** Starts an operation, and approves it where a policy asks for that. */
  async #start(body: object, beforeApproval?: () => void): Promise<string> {
    const { key, approver } = this.#keys;
    this.asked += 1;
    const { id } = await this.#client.get('POST', PATH, { key, body });
    if (this.#scenario.recovery !== 'approval') return id;
    const shown = await this.#until(`${PATH}/${id}`, ({ state }) => !['planned', 'accepted'].includes(state));
    if (shown.state !== 'awaiting_approval') return id;
    beforeApproval?.();
    const { status, text } = await this.#client.ask('POST', `${PATH}/${id}/approve`, {
      key: approver,
      body: { planHash: shown.approval.planHash },
    });
    if (status < 300) return id;
    // All its items may have been taken over by another one meanwhile: then it waits for nobody.
    const { closedAt } = await this.#client.get('GET', `${PATH}/${id}`, { key });
    if (status !== 409 || closedAt === null)
      throw new Error(`${PATH}/${id}/approve answered ${status}: ${text}`);
    return id;
  }

  async #plan(body: object): Promise<string> {
    const { key } = this.#keys;
    this.asked += 1;
    const { id } = await this.#client.get('POST', `${PATH}/plans`, { key, body });
    const shown = await this.#until(`${PATH}/plans/${id}`, ({ planHash }) => Boolean(planHash));
    this.#noteSent();
    await this.#client.get('POST', `${PATH}/plans/${id}/execute`, {
      key,
      body: { planHash: shown.planHash },
    });
    return shown.operationId;
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  async #until(path: string, holds: (shown: any) => boolean): Promise<any> {
    const deadline = performance.now() + patient(60_000);
    for (;;) {
      const shown = await this.#client.get('GET', path, { key: this.#keys.key });
      if (holds(shown)) return shown;
      if (performance.now() > deadline) throw new Error(`${path} stays as it is: ${JSON.stringify(shown)}`);
      await delay(LOOK_MS);
    }
  }
}

/** The uuid of an operation as it is shown. */
export function operationIn(shown: string): string {
  return readId('operation', shown) ?? shown;
}
