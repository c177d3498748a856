import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** What is shown of a certificate. */
export interface CertificateFacts {
  /** SHA-256 of it, in hexadecimal digits without colons. */
  fingerprint: string;
  /** Its name, one part a line turned into a comma. */
  subject: string;
  validFrom: Date;
  validUntil: Date;
}

/** What is shown of a PEM text: its first certificate, and by what it is told from another with the same first one. */
export interface BundleFacts extends CertificateFacts {
  /** Certificates in it. */
  certificates: number;
  /** SHA-256 of the whole text, in hexadecimal digits. */
  pemFingerprint: string;
}

/** The text of at most so many certificates; a chain of more is a mistake. */
const MAX_CERTIFICATES = 10;
/** A handshake with a longer key takes a sender a tenth of a second and more. */
const MAX_RSA_BITS = 4_096;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The certificates of a PEM text, in its order; undefined where it holds none, too many, one that cannot be read or has
 * no times, or anything else than certificates, such as a key that was meant for another member.
 */
export function readCertificates(pem: string): CertificateFacts[] | undefined {
  const texts = pem.match(PEM_CERTIFICATE) ?? [];
  if (texts.length === 0 || texts.length > MAX_CERTIFICATES) return undefined;
  if (pem.replace(PEM_CERTIFICATE, '').trim() !== '') return undefined;
  try {
    const facts = texts.map((text) => factsOf(new X509Certificate(text)));
    return facts.every(hasTimes) ? facts : undefined;
  } catch {
    return undefined;
  }
}

/** So many texts are known by their facts: reading one takes a tenth of a millisecond, and a page of a list has a thousand. */
const MAX_KNOWN = 5_000;
const known = new Map<string, BundleFacts | undefined>();

/** The facts of a PEM text that was accepted; undefined where its first certificate cannot be shown. */
export function bundleFacts(pem: string): BundleFacts | undefined {
  const pemFingerprint = createHash('sha256').update(pem).digest('hex');
  const facts = known.has(pemFingerprint) ? known.get(pemFingerprint) : readBundle(pem, pemFingerprint);
  known.delete(pemFingerprint);
  known.set(pemFingerprint, facts);
  const [oldest] = known.keys();
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  return facts;
}

function readBundle(pem: string, pemFingerprint: string): BundleFacts | undefined {
  try {
    const first = factsOf(new X509Certificate(pem));
    const certificates = pem.match(PEM_CERTIFICATE)?.length ?? 0;
    return hasTimes(first) ? { ...first, certificates, pemFingerprint } : undefined;
  } catch {
    return undefined;
  }
}

/** OpenSSL and TLS take a certificate whose times are no times: nobody could be shown until when it holds. */
function hasTimes({ validFrom, validUntil }: CertificateFacts): boolean {
  return !Number.isNaN(validFrom.getTime()) && !Number.isNaN(validUntil.getTime());
}

/**
 * Why a certificate of ours and its key cannot be used together; undefined where they can, and where the certificate is
 * at fault by itself.
 */
export function clientCertificateFault(certificate: string, key: string): string | undefined {
  const [first] =
    readCertificates(certificate) === undefined ? [] : (certificate.match(PEM_CERTIFICATE) ?? []);
  if (first === undefined) return undefined;
  const privateKey = keyOf(key);
  if (privateKey === undefined)
    return 'Expected a private key in PEM without a passphrase (PKCS #8, PKCS #1 or SEC 1).';
  if ((privateKey.asymmetricKeyDetails?.modulusLength ?? 0) > MAX_RSA_BITS)
    return `Expected an RSA key of at most ${MAX_RSA_BITS} bits, or an elliptic one.`;
  if (!new X509Certificate(first).checkPrivateKey(privateKey))
    return 'Expected the private key of the first certificate: this is the key of another one.';
  try {
    createSecureContext({ cert: certificate, key });
    return undefined;
  } catch {
    return 'Expected a certificate and a key that TLS takes: too weak, or of an unusual kind.';
  }
}

function keyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    return undefined;
  }
}

function factsOf(certificate: X509Certificate): CertificateFacts {
  return {
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    subject: certificate.subject.replaceAll('\n', ', ').slice(0, 300),
    validFrom: new Date(certificate.validFrom),
    validUntil: new Date(certificate.validTo),
  };
}
