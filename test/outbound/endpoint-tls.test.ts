import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import { createAddressGuard } from '../../src/outbound/address-guard.ts';
import { createAttemptClient } from '../../src/outbound/attempt.ts';
import { bundleFacts, clientCertificateFault, readCertificates } from '../../src/outbound/certificates.ts';
import { createDeadline } from '../../src/outbound/deadline.ts';
import { readEgressProxy } from '../../src/outbound/egress-proxy.ts';
import { type EndpointTls, endpointTls } from '../../src/outbound/endpoint-tls.ts';
import { patient } from '../support/patience.ts';
import { startForwardProxy } from '../support/receivers/forward-proxy.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import type { Behaviour } from '../support/receivers/receiver-behaviour.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';
import { closedAfterEach } from '../support/use.ts';

const closing = closedAfterEach();
const server = createSelfSignedCertificate();
// One authority of each name: a server looks them up by it.
const [ours, theirs] = [createSelfSignedCertificate('ours'), createSelfSignedCertificate('theirs')];

/** Answers with the fingerprint of the certificate that its client has shown. */
const whoCalls: Behaviour = {
  answer(response) {
    const socket = response.req.socket as TLSSocket;
    const shown = socket.getPeerCertificate() as { fingerprint256?: string };
    response.end(shown.fingerprint256?.replaceAll(':', '').toLowerCase() ?? 'nobody');
  },
};

const receiving = async (options: object = {}) =>
  closing(await startReceiver(whoCalls, { tls: { ...server, ...options } }));

const asking = () => receiving({ ca: [ours.cert, theirs.cert], requestCert: true, rejectUnauthorized: true });

function sending(options: object = {}) {
  return closing(
    createAttemptClient({
      guard: createAddressGuard(['127.0.0.0/8']),
      connectTimeoutMs: patient(2_000),
      ...options,
    }),
  );
}

function to(url: string, tls?: EndpointTls) {
  const headers = { 'content-type': 'application/json' };
  return {
    url,
    tls,
    body: '{}',
    headers,
    timeoutMs: patient(4_000),
    deadline: createDeadline(patient(10_000)),
  };
}

const excerpt = (result: object) =>
  'excerpt' in result ? Buffer.from(result.excerpt as Uint8Array).toString() : undefined;

const fingerprint = (pem: string) => readCertificates(pem)?.[0]?.fingerprint;

describe('an endpoint with an authority of its own', () => {
  test('is reached by it, and not by the public ones or by another', async () => {
    const receiver = await receiving();
    const client = sending();
    const tls = endpointTls({ ca: server.cert });
    expect(await client.send(to(receiver.url(), tls))).toMatchObject({ kind: 'answered', status: 200 });
    for (const other of [undefined, endpointTls({ ca: theirs.cert })])
      expect(await client.send(to(receiver.url(), other))).toMatchObject({
        fault: 'tls_failure',
        mayHaveArrived: false,
      });
    expect(receiver.requests).toHaveLength(1);
  });

  test('is reached by an egress proxy, too', async () => {
    const receiver = await receiving();
    const proxy = closing(await startForwardProxy());
    const client = sending({ proxy: readEgressProxy(proxy.url()) });
    const sent = await client.send(to(receiver.url(), endpointTls({ ca: server.cert })));
    expect(sent).toMatchObject({ kind: 'answered', status: 200 });
    expect(proxy.asked).toEqual([`127.0.0.1:${receiver.port}`]);
  });
});

describe('an endpoint that asks for a certificate', () => {
  test('is shown ours', async () => {
    const receiver = await asking();
    const tls = endpointTls({ ca: server.cert, ...ours });
    expect(excerpt(await sending().send(to(receiver.url(), tls)))).toBe(fingerprint(ours.cert));
  });

  test('certainly reads nothing where it gets none', async () => {
    const receiver = await asking();
    const result = await sending().send(to(receiver.url(), endpointTls({ ca: server.cert })));
    expect(result).toMatchObject({ kind: 'faulted', fault: 'tls_failure', mayHaveArrived: false });
    expect(receiver.requests).toHaveLength(0);
  });

  test('shares no socket with an endpoint of the same origin that shows another', async () => {
    const receiver = await asking();
    const client = sending();
    const callers = [ours, theirs, ours, theirs].map((own) => ({
      tls: endpointTls({ ca: server.cert, ...own }),
      shown: fingerprint(own.cert),
    }));
    for (const { tls, shown } of callers)
      expect(excerpt(await client.send(to(receiver.url(), tls)))).toBe(shown);
    expect(receiver.connections).toBe(2);
  });
});

describe('certificates that are given', () => {
  test('are read one after another, and nothing else beside them', () => {
    expect(readCertificates(`${ours.cert}\n${theirs.cert}`)).toMatchObject([
      {
        fingerprint: fingerprint(ours.cert),
        subject: 'CN=ours',
        validUntil: new Date('2049-12-31T23:59:59Z'),
      },
      { fingerprint: fingerprint(theirs.cert) },
    ]);
    for (const text of [
      '',
      'no',
      ours.key,
      ours.cert + ours.key,
      ours.cert.replace('MII', 'MIJ'),
      ours.cert.repeat(11),
      createSelfSignedCertificate('localhost', '991332000000Z').cert,
    ])
      expect(readCertificates(text)).toBeUndefined();
  });

  test('are told by the first of them, and from others with the same first one, again and again', () => {
    const first = readCertificates(ours.cert)?.[0];
    const texts = [ours.cert + theirs.cert, ours.cert + server.cert, ours.cert];
    const told = [...texts, ...texts].map(bundleFacts);
    expect(told).toMatchObject([2, 2, 1, 2, 2, 1].map((certificates) => ({ ...first, certificates })));
    expect(new Set(told.map((facts) => facts?.pemFingerprint)).size).toBe(3);
    for (const text of ['', ours.key, createSelfSignedCertificate('localhost', '991332000000Z').cert])
      expect(bundleFacts(text)).toBeUndefined();
  });

  test('go with their own key alone, and it has no passphrase', () => {
    expect(clientCertificateFault(ours.cert, ours.key)).toBeUndefined();
    expect(clientCertificateFault(ours.cert, theirs.key)).toMatch(/key of another one/);
    for (const key of ['', 'no', ours.cert]) expect(clientCertificateFault(ours.cert, key)).toMatch(/PEM/);
  });
});
