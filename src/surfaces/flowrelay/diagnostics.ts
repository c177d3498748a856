import type { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { problem } from '../../api/problems/problem.ts';
import { type Route, route } from '../../api/route.ts';
import { hasScope } from '../../domain/tenancy/scope.ts';
import { showId } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { idParams } from '../native/fields.ts';
import { type DiagnosticsContent, DiagnosticsView } from './diagnostics-schema.ts';
import { type Guidance, guidanceFor } from './domain/recovery-guide.ts';
import { BODY_ERRORS, errorResponses } from './flowrelay-problem.ts';
import { factsOf, guidanceView, type ReceiptParts, receiptView } from './receipt-view.ts';
import { partsOf, standingFacts } from './receipts.ts';
import {
  findDiagnostics,
  freezeDiagnostics,
  insertDiagnostics,
  type ReceiptDiagnostics,
} from './store/receipt-diagnostics.ts';
import { findReceipt, type Receipt } from './store/receipts.ts';

/** A preview that is not frozen by then is forgotten. */
const PREVIEW_VALID_MS = 24 * 3_600_000;

/** Diagnostics of a receipt: previewed, then frozen as they were shown. */
export function diagnosticsRoutes({ pool }: ApiDeps): Route[] {
  const act = {
    tag: 'FlowRelay',
    access: { of: 'tenant', scope: 'write:deliveries', part: 'write:diagnostics' },
    bodyOptional: true,
  } as const;
  const params = idParams('diagnostics', 'Id of the diagnostics.');
  return [
    route({
      ...act,
      method: 'post',
      path: '/flowrelay/v1/receipts/{id}/diagnostics/preview',
      summary: 'Preview the diagnostics of a receipt',
      description:
        'Facts of the receipt, endpoint state, codes, retention, replay availability and guidance. Never bodies, headers, secrets, tokens, sessions, database URLs or customer data.',
      request: { params: idParams('receipt', 'Id of the receipt.') },
      responses: {
        201: { description: 'The content that would be frozen.', schema: DiagnosticsView },
        ...errorResponses(...BODY_ERRORS),
      },
      async handler({ params: { id }, tenant, caller }) {
        const receipt = await findReceipt(pool, tenant.id, id);
        if (!receipt) return problem('not_found');
        const parts = await partsOf(pool, tenant.id, receipt);
        const guidance = guidanceFor(factsOf(receipt), {
          usage: parts.usage,
          newBusinessEvent: false,
          standing: await standingFacts(pool, tenant.id, receipt),
          senderResend: parts.senderResend,
        });
        const content = contentOf(receipt, parts, guidance);
        const previewed = await withTransaction(pool, async (db) => {
          const made = await insertDiagnostics(db, tenant.id, {
            receiptId: id,
            actor: caller.actor,
            content: JSON.stringify(content),
            validForMs: PREVIEW_VALID_MS,
          });
          await noteAct(db, {
            tenantId: tenant.id,
            by: caller,
            action: 'diagnostics.previewed',
            target: made.id,
            detail: { receiptId: showId('receipt', id) },
          });
          return made;
        });
        return { status: 201, json: view(previewed, true) };
      },
    }),
    route({
      ...act,
      method: 'post',
      path: '/flowrelay/v1/diagnostics/{id}/freeze',
      summary: 'Freeze previewed diagnostics',
      description: 'The previewed content is kept exactly and never changes. A repeat is answered alike.',
      request: { params },
      responses: {
        200: { description: 'They are frozen.', schema: DiagnosticsView },
        ...errorResponses(...BODY_ERRORS),
      },
      async handler({ params: { id }, tenant, caller }) {
        const frozen = await withTransaction(pool, async (db) => {
          const kept = await freezeDiagnostics(db, tenant.id, id);
          if (!kept) return findDiagnostics(db, tenant.id, id);
          await noteAct(db, { tenantId: tenant.id, by: caller, action: 'diagnostics.frozen', target: id });
          return kept;
        });
        return frozen ? { status: 200, json: view(frozen, true) } : problem('not_found');
      },
    }),
    route({
      tag: 'FlowRelay',
      access: { of: 'tenant', scope: 'read:deliveries' },
      method: 'get',
      path: '/flowrelay/v1/diagnostics/{id}',
      summary: 'Show diagnostics',
      description: 'Callers who may not make diagnostics see their state, without their content.',
      request: { params },
      responses: { 200: { description: 'The diagnostics.', schema: DiagnosticsView }, ...errorResponses() },
      async handler({ params: { id }, tenant, caller }) {
        const found = await findDiagnostics(pool, tenant.id, id);
        return found
          ? { status: 200, json: view(found, hasScope(caller.scopes, 'write:diagnostics')) }
          : problem('not_found');
      },
    }),
  ];
}

/** Codes, states, ids and times only: nothing that a sender, a receiver or an operator has written. */
function contentOf(
  receipt: Receipt,
  parts: ReceiptParts,
  guidance: Guidance,
): z.input<typeof DiagnosticsContent> {
  const { handoffs, timeline, ...shown } = receiptView(receipt, parts);
  const { eventType: _, moreHandoffs, replays, moreTimeline, ...facts } = shown;
  return {
    schema: 'flowrelay.diagnostics.v1',
    generatedAt: new Date().toISOString(),
    ...facts,
    guidance: guidanceView(guidance),
    handoffs: handoffs.map(({ endpointAtAcceptance, meaning, ...handoff }, index) => ({
      ...handoff,
      meaning,
      endpoint: {
        endpointId: endpointAtAcceptance.endpointId,
        versionAtAcceptance: endpointAtAcceptance.version,
        currentVersion: parts.handoffs[index]?.currentVersion ?? endpointAtAcceptance.version,
        state: parts.handoffs[index]?.endpointState ?? 'deleted',
      },
    })),
    moreHandoffs,
    replays: replays.map(({ actor: _actor, ...replay }) => replay),
    timeline,
    moreTimeline,
  };
}

/** The content is put in as it was written: it is frozen as it was previewed, byte for byte. */
function view(diagnostics: ReceiptDiagnostics, withContent: boolean): string {
  const facts: Omit<z.input<typeof DiagnosticsView>, 'content'> = {
    diagnosticsId: showId('diagnostics', diagnostics.id),
    receiptId: showId('receipt', diagnostics.receiptId),
    state: diagnostics.state,
    actor: diagnostics.actor,
    previewedAt: diagnostics.createdAt.toISOString(),
    frozenAt: diagnostics.frozenAt?.toISOString() ?? null,
  };
  return `${JSON.stringify(facts).slice(0, -1)},"content":${withContent ? diagnostics.content : 'null'}}`;
}
