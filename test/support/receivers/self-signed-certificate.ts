import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A key and a certificate for `localhost` and 127.0.0.1 that vouches for itself, both PEM, valid until 2049. */
export type SelfSigned = { key: string; cert: string };

const OID_ECDSA_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const OID_COMMON_NAME = Buffer.from('0603550403', 'hex');
const OID_SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex');
const SEQUENCE = 0x30;

/**
 * Makes a certificate (X.509 v3, ECDSA P-256) at run time, so that no key is committed and no openssl is needed; its end
 * is a UTCTime, and may be none.
 */
export function createSelfSignedCertificate(
  commonName = 'localhost',
  notAfter = '491231235959Z',
): SelfSigned {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, OID_ECDSA_SHA256);
  const name = der(SEQUENCE, der(0x31, der(SEQUENCE, OID_COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
  const validity = der(SEQUENCE, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from(notAfter)));
  const altNames = der(SEQUENCE, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  const extensions = der(0xa3, der(SEQUENCE, der(SEQUENCE, OID_SUBJECT_ALT_NAME, der(0x04, altNames))));
  const unsigned = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    validity,
    name,
    publicKeyInfo(privateKey),
    extensions,
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', unsigned, privateKey));
  const body = der(SEQUENCE, unsigned, algorithm, signature).toString('base64');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${body.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

function publicKeyInfo(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

/** Tag, length, value (ITU-T X.690); no value here is longer than 64 KiB. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length =
    value.length < 0x80
      ? [value.length]
      : value.length < 0x100
        ? [0x81, value.length]
        : [0x82, value.length >> 8, value.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
