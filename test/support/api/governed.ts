import type { Scope } from '../../../src/domain/tenancy/scope.ts';
import type { TestEngine } from '../engine/test-engine.ts';
import { eventually } from '../eventually.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** A tenant with a policy, over the API of a running service. */
export interface Governed {
  set(policy: object): Promise<void>;
  /** A key that the administrator makes for somebody. */
  person(actor: string, scopes?: Scope[]): Promise<string>;
  /** An operation, as soon as it waits for somebody. */
  waiting(id: string): Promise<Shown>;
  say(
    id: string,
    verb: 'approve' | 'reject' | 'emergency' | 'explain',
    by: string,
    body: object,
  ): Promise<Shown>;
  /** Approves what an operation shows, by somebody new. */
  approve(id: string): Promise<Shown>;
}

/** Governs a tenant. */
export function govern(
  { client, adminKey }: Pick<TestEngine, 'client' | 'adminKey'>,
  tenant: { handle: string; key: string },
): Governed {
  const asAdmin = { key: adminKey, headers: { 'redrive-tenant': tenant.handle } };
  let people = 0;
  const governed: Governed = {
    async set(policy) {
      await client.expect(200, 'PUT', '/api/v1/policy', { ...asAdmin, body: policy });
    },
    async person(actor, scopes = ['approve:retries']) {
      const body = { name: actor, actor, scopes };
      return (await client.expect(201, 'POST', '/api/v1/keys', { ...asAdmin, body })).body.key;
    },
    async waiting(id) {
      let shown: Shown;
      await eventually(`${id} waits for approval`, async () => {
        shown = (await client.expect(200, 'GET', `/api/v1/retries/${id}`, { key: tenant.key })).body;
        return shown.state === 'awaiting_approval';
      });
      return shown;
    },
    async say(id, verb, by, body) {
      return client.call('POST', `/api/v1/retries/${id}/${verb}`, { key: by, body });
    },
    async approve(id) {
      const { approval } = await governed.waiting(id);
      people += 1;
      const by = await governed.person(`approver-${people}`);
      const answer = await governed.say(id, 'approve', by, { planHash: approval.planHash });
      if (answer.status !== 200) throw new Error(answer.text);
      return answer.body;
    },
  };
  return governed;
}
