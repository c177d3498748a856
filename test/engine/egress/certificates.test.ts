import type { TLSSocket } from 'node:tls';
import { expect, test } from '@jest/globals';
import { useEngine } from '../../support/engine/use-engine.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { startReceiver } from '../../support/receivers/receiver.ts';
import { createSelfSignedCertificate } from '../../support/receivers/self-signed-certificate.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine({ checked: true });
const closing = closedAfterEach();

test('an event goes to an endpoint of a private authority that asks for a certificate, also after that was replaced', async () => {
  const [server, first, second] = [
    createSelfSignedCertificate(),
    createSelfSignedCertificate('first'),
    createSelfSignedCertificate('second'),
  ];
  const callers: (string | undefined)[] = [];
  const receiver = closing(
    await startReceiver(
      {
        answer(response) {
          const { raw } = (response.req.socket as TLSSocket).getPeerCertificate();
          callers.push(raw?.toString('base64'));
          response.end('ok');
        },
      },
      {
        tls: {
          ...server,
          ca: [first.cert, second.cert],
          requestCert: true,
          rejectUnauthorized: true,
        },
      },
    ),
  );
  const { key } = await engine.client.newTenant('certified');
  const endpoint = await engine.client.newEndpoint(key, {
    url: receiver.url('/hook'),
    timeoutMs: TIME_TO_ANSWER_MS,
    caCertificate: server.cert,
    clientCertificate: { certificate: first.cert, key: first.key },
  });
  const send = () =>
    engine.client.call('POST', '/api/v1/events', { key, body: { type: 'paid', payload: { amount: 1 } } });
  await send();
  await receiver.waitFor(({ requests }) => requests.length === 1);
  await engine.client.call('PATCH', `/api/v1/endpoints/${endpoint.id}`, {
    key,
    body: { clientCertificate: { certificate: second.cert, key: second.key } },
  });
  await send();
  await receiver.waitFor(({ requests }) => requests.length === 2);
  const der = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '');
  expect(callers).toEqual([der(first.cert), der(second.cert)]);
});
