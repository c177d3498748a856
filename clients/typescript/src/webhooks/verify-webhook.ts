import { isSame, secretBytes, signatureOver } from './signatures.ts';

/** Headers as a platform hands them over. */
export type ReceivedHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** A request that somebody received, and the secret that it has to be signed with. */
export interface ReceivedWebhook {
  /** The body as it came, byte for byte: JSON that was parsed and written again is another text. */
  body: string | Uint8Array;
  headers: ReceivedHeaders;
  /** The endpoint's secret (`whsec_…`); while it is rotated, both. */
  secret: string | readonly string[];
  /** By how much its time may differ from ours, so that an old request cannot be sent once more: 300 where left out. */
  toleranceSeconds?: number;
  /** The time now, in milliseconds. */
  now?: number;
}

/** A request whose signature holds. */
export interface Webhook {
  /** The delivery (`webhook-id`): the same in every attempt, so that what was handled can be known again. */
  id: string;
  /** When it was sent. */
  sentAt: Date;
  /** Which attempt of the delivery it is: above 1, an earlier one may have arrived. */
  attempt: number | undefined;
  /** The endpoint that it was sent to, which acknowledgements name. */
  endpointId: string | undefined;
  /** The body, parsed; undefined where it is empty. */
  payload: unknown;
}

/** Why a request is none of Redrive's, or not of now. */
export type WebhookFault =
  | 'headers_missing'
  | 'timestamp_invalid'
  | 'too_old'
  | 'too_new'
  | 'signature_invalid'
  /** Its signature holds, and its body is no JSON: it comes from somebody with the secret, but is no request of Redrive. */
  | 'body_invalid';

/** Thrown where a request must not be believed. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
  readonly fault: WebhookFault;

  constructor(fault: WebhookFault) {
    super(WORDS[fault]);
    this.fault = fault;
  }
}

const WORDS: Record<WebhookFault, string> = {
  headers_missing: 'The request has no webhook-id, webhook-timestamp or webhook-signature.',
  timestamp_invalid: 'Its webhook-timestamp is no number of seconds.',
  too_old: 'It was sent too long ago: it may be an old one that somebody sends once more.',
  too_new: 'It was sent in the future: compare the clocks.',
  signature_invalid: 'No signature of it is by this secret over these bytes.',
  body_invalid: 'Its body is signed, but is no JSON.',
};

/**
 * Verifies a request of Redrive, or of anybody else who signs by Standard Webhooks, and parses its body. Throws a
 * `WebhookVerificationError` where it must not be believed, and a `TypeError` where the secret is none.
 */
export function verifyWebhook({
  body,
  headers,
  secret,
  toleranceSeconds = 300,
  now = Date.now(),
}: ReceivedWebhook): Webhook {
  const header = readerOf(headers);
  const [id, timestamp, signatures] = [
    header('webhook-id'),
    header('webhook-timestamp'),
    header('webhook-signature'),
  ];
  if (!id || !timestamp || !signatures) throw new WebhookVerificationError('headers_missing');
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookVerificationError('timestamp_invalid');
  const ageSeconds = Math.floor(now / 1_000) - Number(timestamp);
  if (ageSeconds > toleranceSeconds) throw new WebhookVerificationError('too_old');
  if (ageSeconds < -toleranceSeconds) throw new WebhookVerificationError('too_new');
  const expected = [secret].flat().map((each) => signatureOver(keyOf(each), `${id}.${timestamp}.`, body));
  const isSigned = signatures.split(' ').some((given) => expected.some((each) => isSame(given, each)));
  if (!isSigned) throw new WebhookVerificationError('signature_invalid');
  const attempt = Number(header('redrive-attempt') ?? Number.NaN);
  return {
    id,
    sentAt: new Date(Number(timestamp) * 1_000),
    attempt: Number.isSafeInteger(attempt) ? attempt : undefined,
    endpointId: header('redrive-endpoint'),
    payload: payloadIn(typeof body === 'string' ? body : new TextDecoder().decode(body)),
  };
}

function payloadIn(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new WebhookVerificationError('body_invalid');
  }
}

function keyOf(secret: string): Uint8Array {
  const key = secretBytes(secret);
  if (!key) throw new TypeError('Expected a signing secret: whsec_ and base64.');
  return key;
}

/** Looks a header up whatever the case of its name. */
function readerOf(headers: ReceivedHeaders): (name: string) => string | undefined {
  if (headers instanceof Headers) return (name) => headers.get(name) ?? undefined;
  const byName = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => {
    const value = byName.get(name);
    return typeof value === 'string' ? value : value?.[0];
  };
}
