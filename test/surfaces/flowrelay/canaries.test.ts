import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { createFlowRelayScene, type FlowRelayScene } from '../../support/surfaces/flowrelay-scene.ts';

const engine = useEngine();
let it: FlowRelayScene;
const canaries = new Map<string, string>();

/** A string that is nowhere else, planted in one place. */
function canary(place: string): string {
  const planted = `canary${randomBytes(9).toString('hex')}`;
  canaries.set(place, planted);
  return planted;
}

beforeAll(async () => {
  it = await createFlowRelayScene(
    engine,
    {
      answer: (response) =>
        response
          .writeHead(500, {
            'x-answer': canary('header of an answer'),
            'set-cookie': `session=${canary('session')}`,
          })
          .end(`{"error":"${canary('answer of a receiver')}"}`),
    },
    null,
  );
});
afterAll(async () => {
  await it.close();
});

test('Do not include raw payloads, endpoint secrets, auth headers, HMAC values, Shopify tokens, Shopify sessions, database URLs, customer data, merchant incidents, or copied private logs.', async () => {
  const { client } = engine;
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  canaries.set('endpoint secret', secret.slice(6));
  const endpoint = await client.newEndpoint(it.tenant.key, {
    url: `${it.receiver.url('/hook')}?token=${canary('query of a URL')}#${canary('fragment of a URL')}`,
    secret,
    preset: 'flowrelay',
    timeoutMs: TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 1 },
    headers: {
      authorization: `Bearer ${canary('auth header')}`,
      'x-shopify-access-token': canary('Shopify token'),
    },
    filter: { kind: { $ne: canary('value of a filter') } },
  });
  canaries.set('database URL', engine.database.url);
  canaries.set('API key', it.tenant.key);
  const event = () => ({
    id: canary('external id'),
    source: canary('source'),
    key: canary('key of an event'),
    ingestionBatchId: canary('batch'),
    payload: {
      customer: { email: `${canary('customer data')}@example.com`, card: canary('card') },
      incident: canary('merchant incident'),
      note: canary('raw payload'),
    },
  });
  const failed = await it.sent('failed', event());
  const sent = { ...event(), id: canary('external id of a repeat') };
  const first = await it.sent('failed', sent);
  const repeat = await it.send(sent);
  // A URL that the API refuses can still be in a database that is older than the refusal.
  await engine.database.pool.query(
    `update endpoint_versions set url = replace(url, '://', '://' || $2 || ':' || $3 || '@') where endpoint_id = $1`,
    [uuidIn('endpoint', endpoint.id), canary('user of a URL'), canary('password of a URL')],
  );
  await it.call('PATCH', `/api/v1/endpoints/${endpoint.id}`, {
    body: { url: `${it.receiver.url('/hook')}?token=${canary('query of a later URL')}` },
  });
  const refused = await it.call('POST', '/api/v1/events', {
    body: {
      type: 5,
      [canary('name of a member')]: canary('value of a refused request'),
      payload: canary('payload of a refused request'),
    },
    headers: { 'x-hmac': canary('header of a refused request') },
  });
  const rejection = (await it.call('GET', `/flowrelay/v1/receipts?requestId=${refused.body.instance}`)).body
    .items[0];

  const shown = new Map<string, string>();
  const look = async (what: string, answer: Promise<{ text: string; headers: Headers; status: number }>) => {
    const { text, headers } = await answer;
    shown.set(`${what} ${shown.size}`, `${text}\n${JSON.stringify([...headers])}`);
  };
  await look('list', it.call('GET', '/flowrelay/v1/receipts'));
  for (const receiptId of [failed, first, repeat, rejection.receiptId]) {
    const idempotencyKey = canary('idempotency key');
    await look('receipt', it.call('GET', `/flowrelay/v1/receipts/${receiptId}`));
    await look('guide', it.call('GET', `/flowrelay/v1/receipts/${receiptId}/guide`));
    const diagnostics = await it.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
    expect(diagnostics.status).toBe(201);
    await look('diagnostics preview', Promise.resolve(diagnostics));
    const { diagnosticsId } = diagnostics.body;
    await look('freeze', it.call('POST', `/flowrelay/v1/diagnostics/${diagnosticsId}/freeze`));
    await look('diagnostics', it.call('GET', `/flowrelay/v1/diagnostics/${diagnosticsId}`));
    const preview = await it.preview(receiptId, { key: idempotencyKey });
    await look('preview', Promise.resolve(preview));
    await look('refusal of another key', it.preview(failed, { key: idempotencyKey }));
    if (preview.status !== 201) continue;
    await look('refusal of an early execution', it.execute(preview.body.replayId, { key: idempotencyKey }));
    await look(
      'confirmation',
      it.confirm(preview.body.replayId, {
        key: idempotencyKey,
        body: { confirmDuplicateRisk: true },
      }),
    );
    await look('execution', it.execute(preview.body.replayId, { key: idempotencyKey }));
    await look('replay', it.call('GET', `/flowrelay/v1/replays/${preview.body.replayId}`));
    await look('receipt after a replay', it.call('GET', `/flowrelay/v1/receipts/${receiptId}`));
  }
  for (const [body, headers] of [
    [{ [canary('name of a boundary')]: { url: canary('value of a boundary') } }, {}],
    [{ payload: canary('changed payload') }, {}],
    [{ endpointId: canary('endpoint id') }, {}],
    [{}, { 'idempotency-key': `"${canary('broken idempotency key')}` }],
    [{}, { authorization: `Bearer ${canary('unknown API key')}` }],
    [`{"a":"${canary('malformed body')}"`, {}],
  ] as const)
    await look(
      'refusal',
      it.call('POST', `/flowrelay/v1/receipts/${failed}/replay/preview`, {
        body,
        headers: { 'idempotency-key': randomUUID(), ...headers },
      }),
    );
  await it.receiver.waitFor(({ requests }) => requests.length >= 4);
  await it.reaches(failed, 'failed');
  for (const [n, { headers }] of it.receiver.requests.entries())
    canaries.set(`HMAC value ${n}`, String(headers['webhook-signature']).split(',')[1] ?? '');
  await look('openapi', it.call('GET', '/openapi.json'));
  shown.set('log', engine.log.join('\n'));
  shown.set('metrics', (await it.call('GET', '/metrics')).text);
  for (const file of await readdir('docs/surfaces'))
    shown.set(`docs/surfaces/${file}`, await readFile(`docs/surfaces/${file}`, 'utf8'));
  const { rows } = await engine.database.pool.query(
    `select (select json_agg(r)::text from rejections r) as rejections,
      (select json_agg(r)::text from receipt_replays r) as replays,
      (select json_agg(r)::text from receipt_diagnostics r) as diagnostics,
      (select json_agg(o)::text from operations o) as operations,
      (select json_agg(a)::text from audit_entries a) as audit`,
  );
  for (const [table, text] of Object.entries(rows[0] as Record<string, string>))
    shown.set(`table ${table}`, text);

  expect(canaries.size).toBeGreaterThan(30);
  // They are where they were planted: the requests that were sent had them.
  const wire = it.receiver.requests
    .map(({ path, headers, body }) => `${path}${JSON.stringify(headers)}${body}`)
    .join('');
  for (const place of ['raw payload', 'query of a URL', 'auth header', 'Shopify token', 'customer data'])
    expect(wire).toContain(canaries.get(place));
  const found = [...shown].flatMap(([where, text]) =>
    // The name of a member that does not exist is shown to its sender, as in every other call.
    [...canaries]
      .filter(([place, planted]) => !place.startsWith('name of') && text.includes(planted))
      .map(([place]) => `${place} in ${where}`),
  );
  expect(found).toEqual([]);
});
