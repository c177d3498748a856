import { z } from 'zod';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import type { ClientCertificate, EndpointConfig } from '../../../domain/endpoints/endpoint.ts';
import { movesDeliveries } from '../../../domain/endpoints/new-origin.ts';
import {
  type BundleFacts,
  bundleFacts,
  clientCertificateFault,
  readCertificates,
} from '../../../outbound/certificates.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import { endpointClientKeyContext } from '../../../sealing/sealing-contexts.ts';
import { shownTime } from '../fields.ts';

/** Room for a chain of ten. */
const MAX_PEM = 32_768;
const EXAMPLE = '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n';

function certificateField(description: string) {
  return z
    .string()
    .max(MAX_PEM)
    .refine((text) => readCertificates(text) !== undefined, {
      message: 'Expected one to ten certificates in PEM, and nothing else.',
      params: { code: 'wrong_format' },
    })
    .meta({ description, example: EXAMPLE });
}

/** The authorities that the certificate of an endpoint is to be from. */
export const caCertificate = certificateField(
  'The authority that its certificate must be from, in PEM: it alone is trusted, and the public ones are not; those where null. Shown by its fingerprint only.',
);

/** A certificate of ours, with its key, that an endpoint is shown. */
export const clientCertificate = z
  .strictObject({
    certificate: certificateField(
      'The certificate, in PEM, and behind it those between it and its authority.',
    ),
    key: z.string().max(MAX_PEM).meta({
      description: 'Its private key, in PEM without a passphrase; kept encrypted and never shown again.',
      example: '-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n',
    }),
  })
  .superRefine(({ certificate, key }, context) => {
    const message = clientCertificateFault(certificate, key);
    if (message !== undefined)
      context.addIssue({ code: 'custom', path: ['key'], message, params: { code: 'wrong_format' } });
  })
  .meta({
    id: 'NewClientCertificate',
    description: 'A certificate with its key, shown to the endpoint where it asks for one (mutual TLS).',
  });

/** A certificate as it is shown: never the whole of it. */
const CertificateView = z
  .strictObject({
    fingerprint: z.string().meta({
      description: 'SHA-256 of the certificate, in hexadecimal digits.',
      example: 'b0f94cca4a1b2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4',
    }),
    subject: z.string().meta({ description: 'Whose it is.', example: 'O=Acme, CN=Acme Internal CA' }),
    validFrom: shownTime('When it begins to be valid.'),
    validUntil: shownTime('When it runs out: replace it before.'),
    certificates: z.int().meta({
      description: 'How many were given together; the other members but the last are of the first.',
      example: 1,
    }),
    pemFingerprint: z.string().meta({
      description: 'SHA-256 of the text that was given, all of its certificates with it.',
      example: '5d41402abc4b2a76b9719d911017c592ae2b1c3d4e5f60718293a4b5c6d7e8f9',
    }),
  })
  .meta({ id: 'Certificate', description: 'The certificates of an endpoint, by the first of them.' });

/** The certificates of an endpoint, as members of what is shown of it. */
export const certificateViews = {
  caCertificate: CertificateView.nullable(),
  clientCertificate: CertificateView.nullable(),
};

/** So many configurations are read in one turn: some ten milliseconds where nothing of them is known. */
const READ_IN_ONE_TURN = 50;

/** Reads the certificates of a page before it is shown, which then knows them. */
export async function readInTurns(
  configs: readonly Pick<EndpointConfig, 'caCertificate' | 'clientCertificate'>[],
): Promise<void> {
  const given = configs.filter(({ caCertificate, clientCertificate }) => caCertificate || clientCertificate);
  for (const [n, config] of given.entries()) {
    if (n > 0 && n % READ_IN_ONE_TURN === 0) await new Promise(setImmediate);
    certificatesView(config);
  }
}

/** The certificates of a configuration as they are shown. */
export function certificatesView(config: Pick<EndpointConfig, 'caCertificate' | 'clientCertificate'>) {
  return {
    caCertificate: viewOf(config.caCertificate),
    clientCertificate: viewOf(config.clientCertificate?.certificate),
  };
}

function viewOf(pem: string | undefined) {
  const facts = pem === undefined ? undefined : bundleFacts(pem);
  return facts === undefined ? null : shown(facts);
}

function shown({ validFrom, validUntil, ...facts }: BundleFacts) {
  return { ...facts, validFrom: validFrom.toISOString(), validUntil: validUntil.toISOString() };
}

/** A certificate that was given, as it is kept; undefined where it is taken away. */
export function sealedCertificate(
  sealer: Sealer,
  endpointId: string,
  given: z.output<typeof clientCertificate> | null,
): ClientCertificate | undefined {
  if (given === null) return undefined;
  const { certificate, key } = given;
  return { certificate, sealedKey: sealer.seal(key, endpointClientKeyContext(endpointId)) };
}

/** Why certificates are refused where nothing is encrypted. */
export function refusedCertificates(config: EndpointConfig): Problem | undefined {
  const member = (['caCertificate', 'clientCertificate'] as const).find((name) => config[name] !== undefined);
  if (member === undefined || config.url.toLowerCase().startsWith('https:')) return undefined;
  const message = 'Expected an https URL: an http endpoint has no certificates. Send null to take them away.';
  return problem('invalid_request', {
    errors: [{ pointer: `#/${member}`, code: 'invalid_value', message }],
  });
}

/**
 * Why a caller who may only edit is refused: by an authority of its own it could read what goes to an origin that others
 * have set up, and a certificate of ours was given for the origin that it has.
 */
export function refusedTrust(
  before: EndpointConfig,
  after: EndpointConfig,
  change: { caCertificate?: unknown; clientCertificate?: unknown },
): Problem | undefined {
  const given = change.caCertificate !== undefined || change.clientCertificate !== undefined;
  const moved = before.clientCertificate !== undefined && movesDeliveries(before, after);
  if (!given && !moved) return undefined;
  return problem('insufficient_scope', {
    scope: 'write:endpoints',
    detail: given
      ? 'Certificates of an endpoint are changed with the scope `write:endpoints`.'
      : 'The client certificate of this endpoint was given for its origin: only the scope `write:endpoints` moves it to another.',
  });
}
