import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { TestApi } from '../api/test-api.ts';
import {
  ask,
  newTestSigner,
  type RawAnswer,
  registrationOf,
  signed,
  type TestSigner,
} from './minka-client.ts';

/** A tenant with a bridge, and a signer that may do everything there. */
export interface MinkaScene {
  tenant: { id: string; handle: string; key: string };
  signer: TestSigner;
  bridge: { id: Id<'endpoint'>; handle: string; luid: string };
  /** Registers a signer with the tenant; its id. */
  register(signer: TestSigner): Promise<string>;
  /** Makes an access rule of the tenant; its id. */
  allow(rule: Record<string, unknown>): Promise<string>;
  /** Sends a signed retry for the bridge, as the signer unless another body is given. */
  retry(data: unknown, change?: RetryChange): Promise<RawAnswer>;
}

/** The parts of a retry that are not as usual. */
export interface RetryChange {
  body?: unknown;
  bridge?: string;
  headers?: Record<string, string>;
}

/** Furnishes a tenant of an API for the Minka surface. */
export async function createMinkaScene(
  api: TestApi,
  tenant: { id: string; handle: string; key: string },
  bridgeHandle = 'mint-bridge',
  { rules = [{ action: 'any', record: 'any' }] }: { rules?: Record<string, unknown>[] } = {},
): Promise<MinkaScene> {
  const { key } = tenant;
  const made = async (path: string, body: unknown) => {
    const answer = await api.call('POST', path, { key, body });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.body;
  };
  const endpoint = await made('/api/v1/endpoints', {
    handle: bridgeHandle,
    url: 'https://hooks.example/in',
    preset: 'minka',
  });
  const signer = newTestSigner();
  const scene: MinkaScene = {
    tenant,
    signer,
    bridge: { id: api.uuid(endpoint.id), handle: endpoint.handle, luid: endpoint.luid },
    register: async (each) => (await made('/api/v1/signers', registrationOf(each, tenant.handle))).id,
    allow: async (rule) => (await made('/api/v1/access-rules', rule)).id,
    retry: (data, { body = signed(signer, data), bridge = bridgeHandle, headers = {} } = {}) =>
      ask(api.url, 'POST', `/v2/bridges/${bridge}/events/retry`, {
        body,
        headers: { 'x-ledger': tenant.handle, ...headers },
      }),
  };
  await scene.register(signer);
  for (const rule of rules) await scene.allow(rule);
  return scene;
}
