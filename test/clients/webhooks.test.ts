import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import {
  acknowledge,
  type ReceivedWebhook,
  verifyWebhook,
  WebhookVerificationError,
} from '../../clients/typescript/src/index.ts';
import { generateSecret, parseSecret, signatureHeaders } from '../../src/outbound/signature.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { sendItems } from '../support/store/send-items.ts';

/** The secret, request and signature by which the libraries of Standard Webhooks test each other. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const BODY = '{"test": 2432232314}';
const SIGNED_AT = 1_614_265_330;
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';

const seconds = () => Math.floor(Date.now() / 1_000);
const sign = (at: number, body = BODY, secret = SECRET, id = ID) =>
  new Webhook(secret).sign(id, new Date(at * 1_000), body);
const headers = (at: number, signature = sign(at)) => ({
  'webhook-id': ID,
  'webhook-timestamp': String(at),
  'webhook-signature': signature,
});

/** Whether one takes a request, by what it answers or throws. */
const ours = (received: ReceivedWebhook): unknown => {
  try {
    return verifyWebhook(received).payload;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return `refused: ${error.fault}`;
    throw error;
  }
};
const theirs = ({ body, headers: all, secret }: ReceivedWebhook): unknown => {
  try {
    return new Webhook(String(secret)).verify(String(body), all as Record<string, string>);
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
};

describe('a request', () => {
  test('is signed as the vector of Standard Webhooks is', () => {
    expect(sign(SIGNED_AT)).toBe(SIGNATURE);
    const received = { body: BODY, headers: headers(SIGNED_AT, SIGNATURE), secret: SECRET };
    expect(verifyWebhook({ ...received, now: SIGNED_AT * 1_000 })).toEqual({
      id: ID,
      sentAt: new Date(SIGNED_AT * 1_000),
      attempt: undefined,
      endpointId: undefined,
      payload: { test: 2_432_232_314 },
    });
  });

  test('is taken and refused as by the package of Standard Webhooks, in each of its own cases', () => {
    const now = seconds();
    const good = headers(now);
    const without = (name: string) =>
      Object.fromEntries(Object.entries(good).filter(([each]) => each !== name));
    const other = sign(now, '{"test": 1}');
    const cases: [string, ReceivedWebhook['headers'], string?][] = [
      ['payload', good],
      ['refused', without('webhook-id')],
      ['refused', without('webhook-timestamp')],
      ['refused', without('webhook-signature')],
      ['refused', { ...good, 'webhook-timestamp': 'hello' }],
      ['refused', { ...good, 'webhook-signature': 'v1,dawfeoifkpqwoekfpqoekf' }],
      ['refused', { ...good, 'webhook-signature': good['webhook-signature'].slice(0, 8) }],
      ['refused', { ...good, 'webhook-signature': 'v1,' }],
      ['refused', headers(now - 301)],
      ['refused', headers(now + 302)],
      ['payload', headers(now - 290)],
      ['payload', headers(now + 290)],
      ['payload', { ...good, 'webhook-signature': `${other} v2,AAAA ${good['webhook-signature']} v1a,BBBB` }],
      [
        'refused',
        { ...good, 'webhook-signature': `${other} ${good['webhook-signature'].replace('v1', 'v1a')}` },
      ],
      [
        'payload',
        Object.fromEntries(Object.entries(good).map(([name, value]) => [name.toUpperCase(), value])),
      ],
      ['payload', good, SECRET.slice('whsec_'.length)],
      ['refused', good, 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    ];
    for (const [expected, given, secret = SECRET] of cases) {
      const received = { body: BODY, headers: given, secret };
      const said = [ours(received), theirs(received)].map((answer) =>
        typeof answer === 'string' ? 'refused' : 'payload',
      );
      expect({ given, said }).toEqual({ given, said: [expected, expected] });
    }
  });

  test('of any content is taken as it is, and with anything changed it is not', () => {
    const now = seconds();
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.nat(),
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        (value, at, key) => {
          const body = JSON.stringify(value);
          const secret = `whsec_${Buffer.from(key).toString('base64')}`;
          const received = { headers: headers(now, sign(now, body, secret)), secret };
          expect(verifyWebhook({ ...received, body: Buffer.from(body) }).payload).toEqual(JSON.parse(body));
          const place = at % body.length;
          const changed = `${body.slice(0, place)}${body[place] === 'x' ? 'y' : 'x'}${body.slice(place + 1)}`;
          expect(ours({ ...received, body: changed })).toBe('refused: signature_invalid');
        },
      ),
    );
  });

  test('of Redrive says which delivery it is, and is taken by either secret while one is rotated', () => {
    const secrets = [generateSecret(), generateSecret()] as [string, string];
    const signed = signatureHeaders({
      id: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s',
      timestampSeconds: seconds(),
      body: BODY,
      secrets: secrets.flatMap((secret) => parseSecret(secret) ?? []),
    });
    const given = { ...signed, 'redrive-attempt': '2', 'redrive-endpoint': 'end_01k9z3e5hbe7r9qk2m4n6p8r0s' };
    for (const secret of [...secrets, ['whsec_AAAA', secrets[1]]])
      expect(verifyWebhook({ body: BODY, headers: new Headers(given), secret })).toMatchObject({
        id: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s',
        attempt: 2,
        endpointId: 'end_01k9z3e5hbe7r9qk2m4n6p8r0s',
      });
  });

  test('that is signed and no JSON is refused by a fault of its own', () => {
    const now = seconds();
    for (const body of ['plain text', '{"a":', '\uFFFD'])
      expect(ours({ body, headers: headers(now, sign(now, body)), secret: SECRET })).toBe(
        'refused: body_invalid',
      );
    const empty = { body: '', headers: headers(now, sign(now, '')), secret: SECRET };
    expect(verifyWebhook(empty).payload).toBeUndefined();
  });

  test('is looked at only by a secret that is one', () => {
    expect(() => verifyWebhook({ body: BODY, headers: headers(seconds()), secret: '' })).toThrow(TypeError);
    expect(() => verifyWebhook({ body: BODY, headers: headers(seconds()), secret: 'whsec_!' })).toThrow(
      TypeError,
    );
  });
});

describe('an acknowledgement', () => {
  const api = useApi();

  test('settles what may have arrived, and is refused by another secret', async () => {
    const secret = generateSecret();
    const endpointId = await seedEndpoint(api, api.key, { secret });
    const seeded = await seedFailedDeliveries(api, 3);
    const deliveries = seeded.map(({ deliveryId: webhookId }) => ({ webhookId, endpointId }));
    const { body } = await api.call('POST', '/api/v1/retries', {
      body: { select: { deliveryIds: seeded.map(({ deliveryId }) => deliveryId) } },
    });
    expect(body.state).toBeDefined();
    await sendItems(api.database.pool, [api.uuid(endpointId)], () => 'timeout');
    const forged = await acknowledge(deliveries.slice(0, 1), { baseUrl: api.url, secret: generateSecret() });
    expect(forged).toEqual([{ webhookId: deliveries[0]?.webhookId, outcome: 'refused' }]);
    expect(await acknowledge(deliveries, { baseUrl: api.url, secret })).toEqual(
      deliveries.map(({ webhookId }) => ({ webhookId, outcome: 'settled' })),
    );
    const [again] = await acknowledge(deliveries[0] ?? [], { baseUrl: api.url, secret });
    expect(again?.outcome).toBe('already_delivered');
  });
});
