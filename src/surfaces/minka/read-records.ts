import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { type Call, type Route, route } from '../../api/route.ts';
import { publicUrl } from '../../domain/endpoints/url.ts';
import { bridgeNamed } from './bridge.ts';
import { hashOf, systemProof } from './envelope.ts';
import { authorize, type Quota, readPresented } from './ledger-access.ts';
import { errorReply, isLedgerError, type LedgerError, ledgerErrors } from './ledger-error.ts';
import { checkEmptyQuery } from './retry-schemas.ts';
import {
  BRIDGE_PARAMS,
  BridgeRecord,
  ERROR_RESPONSES,
  LEDGER_HEADERS,
  SignerRecord,
  StatusRecord,
} from './route-schemas.ts';
import type { Bridge } from './store/bridges.ts';
import { type SystemSigner, systemSigner } from './system-signer.ts';

/** How a record's key is written. */
const FORMAT = 'ed25519-raw';

/** A record as the ledger answers it, signed by the installation. */
function record(signer: SystemSigner, data: object, custom: { moment: string; status?: string }, meta = {}) {
  const hash = hashOf(data);
  return {
    hash,
    data,
    meta: { proofs: [systemProof(signer, hash, custom)], moment: custom.moment, ...meta },
  };
}

/** The records that a client reads first: the server's status, the key that answers are signed with, a bridge. */
export function readRoutes(deps: ApiDeps, quota: Quota): Route[] {
  const { sealer, version } = deps;
  const startedMs = performance.now();
  return [
    route({
      method: 'get',
      path: '/v2',
      summary: "Show the server's status",
      tag: 'Minka',
      access: { of: 'anyone' },
      request: { query: z.looseObject({}) },
      responses: { 200: { description: 'The signed status.', schema: StatusRecord }, ...ERROR_RESPONSES },
      async handler({ query }) {
        const invalid = checkEmptyQuery(query);
        if (invalid) return errorReply(systemSigner(sealer), invalid);
        const parts = await deps.readiness();
        const connected = parts.find(({ name }) => name === 'postgres')?.ready ?? false;
        const data = {
          handle: 'redrive',
          server: 'redrive',
          semver: version,
          status: connected ? 'UP' : 'DOWN',
          uptime: Math.floor((performance.now() - startedMs) / 1_000),
          dependencies: { db: connected ? 'CONNECTED' : 'ERROR' },
        };
        return {
          status: 200,
          body: record(systemSigner(sealer), data, { moment: new Date().toISOString() }),
        };
      },
    }),
    route({
      method: 'get',
      path: '/v2/signers/{handle}',
      summary: 'Show the signer of this installation',
      description:
        'Only `system` can be read: the key that answers are signed with. The call needs no credential.',
      tag: 'Minka',
      access: { of: 'anyone' },
      request: {
        params: z.strictObject({
          handle: z.string().meta({ description: 'Handle of the signer.', example: 'system' }),
        }),
        query: z.looseObject({}),
      },
      responses: { 200: { description: 'The signed record.', schema: SignerRecord }, ...ERROR_RESPONSES },
      async handler({ params: { handle }, query }) {
        const signer = systemSigner(sealer);
        const invalid = checkEmptyQuery(query);
        if (invalid) return errorReply(signer, invalid);
        // Nobody has signed anything here: it is no failed authentication.
        if (handle !== 'system')
          return { ...errorReply(signer, ledgerErrors.notFound('Signer')), unauthenticated: false };
        const data = { handle, format: FORMAT, public: signer.public };
        return { status: 200, body: record(signer, data, { moment: new Date().toISOString() }) };
      },
    }),
    route({
      method: 'get',
      path: '/v2/bridges/{id}',
      summary: 'Show a bridge',
      description: 'Required access action: `read` on record `bridge`.',
      tag: 'Minka',
      access: { of: 'anyone' },
      request: {
        params: BRIDGE_PARAMS,
        query: z.looseObject({}),
      },
      headers: LEDGER_HEADERS,
      responses: { 200: { description: 'The signed record.', schema: BridgeRecord }, ...ERROR_RESPONSES },
      async handler(call) {
        const signer = systemSigner(sealer);
        const bridge = await readBridge(deps, quota, call);
        return isLedgerError(bridge)
          ? errorReply(signer, bridge)
          : { status: 200, body: bridgeRecord(signer, bridge) };
      },
    }),
  ];
}

async function readBridge(
  deps: ApiDeps,
  quota: Quota,
  call: Pick<Call, 'rawBody' | 'rawParams' | 'url' | 'header'> & { query: unknown },
): Promise<Bridge | LedgerError> {
  const presented = await readPresented(deps, { ...call, method: 'GET' });
  if (isLedgerError(presented)) return presented;
  const invalid = checkEmptyQuery(call.query);
  if (invalid) return invalid;
  // There is nothing to sign but the token.
  if (!presented.token) return ledgerErrors.signatureMissing;
  const access = await authorize(deps, quota, presented, [], 'read');
  if (isLedgerError(access)) return access;
  return bridgeNamed(deps.pool, access.tenant, call.rawParams.id ?? '');
}

/** A bridge without its secrets: headers, and the parts of an address other than its place. */
function bridgeRecord(signer: SystemSigner, { handle, luid, url, enabled, createdAt, updatedAt }: Bridge) {
  const data = { handle, schema: 'rest', config: { server: publicUrl(url) } };
  const status = enabled ? 'active' : 'inactive';
  const proof = { moment: updatedAt.toISOString(), status };
  return { luid, ...record(signer, data, proof, { moment: createdAt.toISOString(), status }) };
}
