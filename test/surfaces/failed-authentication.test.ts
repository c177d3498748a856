import { beforeAll, expect, test } from '@jest/globals';
import { useApi } from '../support/api/use-api.ts';
import { eventually } from '../support/eventually.ts';
import { ask, newTestSigner, signed } from '../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../support/surfaces/minka-scene.ts';

const api = useApi({ trustedProxies: ['127.0.0.0/8'] });
let minka: MinkaScene;

beforeAll(async () => {
  minka = await createMinkaScene(api, { ...api.tenant, key: api.key });
});

/** A call that fails authentication on each surface, and the status and words of the refusal. */
const failing: [string, (address: string) => Promise<number>, number, number][] = [
  ['native', (address) => status('GET', '/api/v1/endpoints', address, 'Bearer rdk_wrong'), 401, 429],
  ['an acknowledgement', (address) => acknowledge(address), 401, 429],
  ['Zen Mesh', (address) => status('GET', '/v1/replays', address, 'Bearer rdk_wrong'), 401, 429],
  ['a token', (address) => status('GET', '/api/v1/endpoints', address, 'Bearer a.b.c'), 401, 429],
  ['Minka, a token', (address) => status('GET', '/v2/bridges/b/events', address, 'Bearer a.b.c'), 401, 429],
  ['Minka, a stranger', (address) => retry(address), 404, 429],
  ['Stedi', (address) => status('GET', '/executions', address, 'rdk_wrong'), 401, 429],
  ['Jack Henry', (address) => status('GET', events(), address, 'Bearer rdk_wrong'), 401, 400],
  ['FlowRelay', (address) => status('GET', '/flowrelay/v1/receipts', address, 'Bearer rdk_wrong'), 401, 429],
];

test.each(failing)(
  'a call that fails to authenticate (%s) is limited by its address, and no other call is',
  async (_, fail, failure, refusal) => {
    const [theirs, others] = [nextAddress(), nextAddress()];
    const valid = () => status('GET', '/api/v1/endpoints', theirs, `Bearer ${api.key}`);
    const storm = stormUntil(
      (answer) => answer === refusal,
      () => fail(theirs),
    );
    // From the address of the storm, while it goes on, and behind it.
    for (let n = 0; n < 10; n += 1) expect(await valid()).toBe(200);
    const answers = await storm;
    expect(new Set(answers)).toEqual(new Set([failure, refusal]));
    expect(answers.filter((each) => each === failure).length).toBeGreaterThanOrEqual(100);
    expect(await valid()).toBe(200);
    expect(await fail(others)).toBe(failure);
  },
);

test('a valid signature is not refused during a storm of invalid ones', async () => {
  const address = nextAddress();
  const storm = Promise.all(Array.from({ length: 200 }, () => retry(address)));
  for (let n = 0; n < 5; n += 1)
    expect((await minka.retry({}, { headers: { 'x-forwarded-for': address } })).status).toBe(200);
  await storm;
});

test('the refusal says when to come back', async () => {
  const address = nextAddress();
  const answers = await stormUntil(
    (answer) => answer.status === 429,
    () => api.call('GET', '/api/v1/endpoints', { key: 'rdk_wrong', headers: { 'x-forwarded-for': address } }),
  );
  const refused = answers.find((answer) => answer.status === 429);
  expect(refused?.body).toMatchObject({ code: 'rate_limited', detail: expect.stringContaining('address') });
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('an address that fails one by one is slowed down and never refused', async () => {
  const address = nextAddress();
  for (let n = 0; n < 130; n += 1)
    expect(await status('GET', '/api/v1/endpoints', address, 'Bearer rdk_wrong')).toBe(401);
});

/** Calls by the hundred until one is refused: a machine that is busy may call so slowly that each has its turn. */
async function stormUntil<Answer>(
  isRefused: (answer: Answer) => boolean,
  call: () => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  await eventually('a call is refused', async () => {
    answers.push(...(await Promise.all(Array.from({ length: 200 }, call))));
    return answers.some(isRefused);
  });
  return answers;
}

let addresses = 0;
function nextAddress(): string {
  addresses += 1;
  return `192.0.2.${addresses}`;
}

async function status(method: string, path: string, address: string, authorization: string): Promise<number> {
  const headers = { authorization, 'x-forwarded-for': address };
  return (await ask(api.url, method, path, { headers })).status;
}

function events(): string {
  return `/a/api/enterprise-event/v1/${api.tenant.id}/events/${api.tenant.id}`;
}

async function acknowledge(address: string): Promise<number> {
  const id = '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f';
  const body = { endpointId: id, webhookId: id, timestamp: 1, signature: 'v1,x' };
  return (await ask(api.url, 'POST', '/api/v1/acks', { body, headers: { 'x-forwarded-for': address } }))
    .status;
}

const stranger = signed(newTestSigner(), {});

async function retry(address: string): Promise<number> {
  return (await minka.retry({}, { body: stranger, headers: { 'x-forwarded-for': address } })).status;
}
