import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { quotaExceededWords } from '../../api/problems/quota-exceeded.ts';
import { idempotencyScope } from '../../api/requests/idempotency.ts';
import { type Call, type Route, route } from '../../api/route.ts';
import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import { type Id, readId } from '../../domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../operations/accept-operation.ts';
import { bridgeNamed } from './bridge.ts';
import { type Envelope, envelopeFault, type Proof } from './envelope.ts';
import { type Access, authorize, type Quota, readPresented } from './ledger-access.ts';
import { errorReply, isLedgerError, type LedgerError, ledgerErrors } from './ledger-error.ts';
import { checkEmptyQuery, checkEnvelope, checkRetryData, ENVELOPE, type RetryData } from './retry-schemas.ts';
import { BRIDGE_PARAMS, ERROR_RESPONSES, LEDGER_HEADERS } from './route-schemas.ts';
import { type Bridge, isOfBridge } from './store/bridges.ts';
import { systemSigner } from './system-signer.ts';

const PATH = '/v2/bridges/{id}/events/retry';
const DEFAULT_MAX_AGE_MINUTES = 60;
/** 48 hours. */
const LONGEST_MAX_AGE_MINUTES = 2_880;
const MINUTE_MS = 60_000;

/** Retries of the events of a bridge. */
export function retryEventsRoute(deps: ApiDeps, quota: Quota): Route {
  return route({
    method: 'post',
    path: PATH,
    summary: 'Retry failed or pending event deliveries of a bridge',
    description:
      'For each affected event the scheduled job is cancelled and a new delivery is queued with its backoff at the initial value. `data.maxAge` limits the retry to events whose newest attempt was made within so many minutes (60 where left out, 2,880 at most, 0 for all); `data.handle` names one event instead. Required access action: `retry-event`.',
    tag: 'Minka',
    access: { of: 'anyone' },
    request: {
      params: BRIDGE_PARAMS,
      query: z.looseObject({}),
      body: z.unknown().meta({ ...ENVELOPE, description: 'The signed options of the retry.' }),
    },
    bodyOptional: true,
    headers: LEDGER_HEADERS,
    responses: {
      200: { description: 'It is accepted.', schema: z.literal('""'), contentType: 'text/plain' },
      ...ERROR_RESPONSES,
    },
    async handler(call) {
      const accepted = await retryEvents(deps, quota, call);
      if (isLedgerError(accepted)) return errorReply(systemSigner(deps.sealer), accepted);
      return { status: 200, text: accepted.body, contentType: 'text/plain' };
    },
  });
}

type RetryCall = Pick<Call, 'requestId' | 'rawBody' | 'rawParams' | 'url' | 'header'> & { query: unknown };

/** The checks in their order: token, schema, hash, signature, signer, access, bridge; then the retry is accepted. */
async function retryEvents(
  deps: ApiDeps,
  quota: Quota,
  call: RetryCall,
): Promise<{ body: string } | LedgerError> {
  const present = () => readPresented(deps, { ...call, method: 'POST' });
  const early = call.header('authorization') === undefined ? undefined : await present();
  if (early && isLedgerError(early)) return early;
  const invalid = checkEmptyQuery(call.query) ?? checkEnvelope(call.rawBody);
  if (invalid) return invalid;
  const envelope = call.rawBody as Envelope;
  const fault = checkRetryData(envelope.data) ?? refusedEnvelope(envelope);
  if (fault) return fault;
  // Without a token nothing has asked Postgres so far.
  const presented = early ?? (await present());
  if (isLedgerError(presented)) return presented;
  const proofs = envelope.meta?.proofs ?? [];
  const access = await authorize(deps, quota, presented, proofs, 'retry-event');
  if (isLedgerError(access)) return access;
  const bridge = await bridgeNamed(deps.pool, access.tenant, call.rawParams.id ?? '');
  if (isLedgerError(bridge)) return bridge;
  return acceptRetry(deps, access, bridge, envelope.data as RetryData, identifying(proofs), call.requestId);
}

function refusedEnvelope(envelope: Envelope): LedgerError | undefined {
  const fault = envelopeFault(envelope);
  if (fault?.fault === 'hash') return ledgerErrors.hashInvalid(fault.hash);
  if (!envelope.meta?.proofs?.length) return ledgerErrors.signatureMissing;
  return fault && ledgerErrors.signatureInvalid(fault.public);
}

/** The proof that a request is known by, in any order of its proofs. */
function identifying(proofs: Proof[]): Proof {
  const nameOf = (proof: Proof) => `${proof.public} ${proof.digest}`;
  const [first] = proofs.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  if (!first) throw new Error('a request without proofs got past its check');
  return first;
}

/**
 * Starts the retry. The same signed request is one operation: with a moment for as long as the operation is kept;
 * without one only while it is open, for two legitimate retries are then alike to the byte.
 */
async function acceptRetry(
  deps: ApiDeps,
  { tenant, signers }: Access,
  bridge: Bridge,
  data: RetryData,
  proof: Proof,
  requestId: string,
): Promise<{ body: string } | LedgerError> {
  const deliveryId = data.handle === undefined ? undefined : readId('delivery', data.handle);
  if (data.handle !== undefined && deliveryId === undefined) return ledgerErrors.notFound('Event');
  const signer = signers.find(({ publicKey }) => publicKey.toString('base64') === proof.public);
  const result = await acceptOperation<'unknown_event'>(deps, {
    tenant,
    surface: 'minka',
    kind: 'retry',
    target: 'current',
    selection: {
      filter: { endpointIds: [bridge.id], ...affectedStates(bridge), ...affected(data, deliveryId) },
    },
    options: { takeOverScheduled: true },
    caller: { actor: `signer:${signer?.handle}`, requestId },
    idempotency: {
      scope: idempotencyScope(tenant.id, 'minka', `POST ${PATH}`),
      key: `${bridge.id} ${proof.public} ${proof.digest}`,
      fingerprint: Buffer.from(proof.digest, 'hex'),
      keep: proof.custom?.moment === undefined ? 'while_open' : 'for_ever',
    },
    before: async (db) =>
      deliveryId === undefined || (await isOfBridge(db, tenant.id, bridge.id, deliveryId))
        ? undefined
        : 'unknown_event',
    render: () => '',
  });
  if (result.ok) return { body: result.body };
  if (result.code === 'refused') return ledgerErrors.notFound('Event');
  if (result.code === 'quota_exceeded')
    return { ...ledgerErrors.forbidden, detail: quotaExceededWords(result.beyond) };
  throw new Error(`a retry of a bridge was refused: ${result.code}`);
}

/** The deliveries that failed or are still pending, and, once the bridge is enabled, those missed while it was not. */
function affectedStates({ enabled }: Bridge): DeliveryFilter {
  return enabled
    ? { state: ['failed', 'pending', 'ignored'], ignoredFor: ['endpoint_disabled'] }
    : { state: ['failed', 'pending'] };
}

/** One event where one is named; otherwise those that were last tried within `maxAge` minutes. */
function affected({ maxAge }: RetryData, deliveryId: Id<'delivery'> | undefined): DeliveryFilter {
  if (deliveryId !== undefined) return { deliveryIds: [deliveryId] };
  const minutes = Math.min(maxAge ?? DEFAULT_MAX_AGE_MINUTES, LONGEST_MAX_AGE_MINUTES);
  return minutes === 0 ? {} : { activeWithinMs: minutes * MINUTE_MS };
}
