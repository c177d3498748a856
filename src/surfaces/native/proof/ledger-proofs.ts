import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Turns, turnsOf } from '../../../api/limits/turns.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { readCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { hasEnded } from '../../../domain/operations/operation-state.ts';
import { proveLine } from '../../../proof/closed-ledger.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { listAddenda, type SignedAddendum } from '../../../store/proof/addenda.ts';
import { findSeal } from '../../../store/proof/closure-reports.ts';
import { linesAreGone } from '../../../store/proof/ledger-retention.ts';
import { idField, idParams, shownId, shownTime } from '../fields.ts';
import { countParameter, pageFrom, pageOf, pageParameters } from '../page.ts';
import { hash, Jws, notSigned, signatureView } from './signed-view.ts';

/** An addendum can name thousands of items. */
const MOST_ADDENDA = 10;

const Proof = z
  .strictObject({
    line: z.string().meta({
      description: 'The line of the delivery in the ledger, to the byte: the leaf, without a newline.',
      example: '{"attempts":1,"deliveryId":"dlv_…"}',
    }),
    leafIndex: z.int().meta({ description: 'Where it stands among the lines, from 0.', example: 41 }),
    treeSize: z.int().meta({ description: 'How many lines there are.', example: 1_000_000 }),
    path: z
      .array(hash('A neighbour on the way to the root.'))
      .meta({ description: 'The audit path (RFC 9162, section 2.1.3), from the leaf upwards.' }),
    merkleRoot: hash('The root that it leads to, as the signed report names it.'),
    reportDigest: hash('SHA-256 of the payload of that report.'),
  })
  .meta({
    id: 'LedgerProof',
    description: 'Proves one line of a closed ledger without the others.',
  });

const Addendum = z
  .strictObject({
    number: z.int().meta({ description: 'From 1, without gaps.', example: 1 }),
    kid: shownId('signingKey', 'The key that it was signed with.'),
    digest: hash('SHA-256 of the signed payload.'),
    signedAt: shownTime('When it was signed.'),
    changes: z.int().meta({ description: 'Items that it tells of.', example: 2 }),
    jws: Jws,
  })
  .meta({ id: 'ReportAddendum', description: 'What was settled after the report, signed by itself.' });

/** Proofs of single lines, and what was settled after an operation had closed; `inTurn` are the turns of exports. */
export function ledgerProofRoutes({ pool }: ApiDeps, inTurn: Turns): Route[] {
  const ofTenant = turnsOf(inTurn);
  const read = { tag: 'Retries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: '/api/v1/retries/{id}/items/{deliveryId}/proof',
      summary: "Prove one line of an operation's ledger",
      description:
        'The line of one delivery, and the hashes that lead from it to the root that the signed report names: whoever holds the report can check it without the other lines (docs/proof.md).',
      request: {
        params: z.strictObject({
          id: idField('operation', 'Id of the operation.'),
          deliveryId: idField('delivery', 'Id of the delivery.'),
        }),
      },
      responses: { 200: { description: 'The proof.', schema: Proof } },
      problems: ['state_conflict', 'pruned'],
      async handler({ params: { id, deliveryId }, tenant }) {
        const operation = await findOperation(pool, tenant.id, id);
        if (!operation) return problem('not_found');
        if (!hasEnded(operation.state))
          return problem('state_conflict', {
            detail: `The operation is \`${operation.state}\`: its lines are hashed when it ends.`,
          });
        const seal = await findSeal(pool, tenant.id, id);
        if (!seal) return notSigned();
        if (await linesAreGone(pool, id, seal)) return problem('pruned');
        const proved = await proveLine(pool, id, deliveryId, ofTenant(tenant.id));
        if (!proved) return problem('not_found');
        return {
          status: 200,
          body: {
            ...proved,
            path: proved.path.map((each) => Buffer.from(each).toString('hex')),
            merkleRoot: seal.merkleRoot.toString('hex'),
            reportDigest: seal.digest.toString('hex'),
          },
        };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/retries/{id}/report/addenda',
      summary: "List the addenda to an operation's closure report",
      description:
        'Acknowledgements, status requests and resolutions that came after the operation had closed change nothing of its report: each addendum names the digest of the report, its own number, and the items that have changed since. One is signed at most once a minute.',
      request: {
        params: idParams('operation', 'Id of the operation.'),
        query: z.strictObject({
          ...pageParameters,
          limit: countParameter(1, MOST_ADDENDA, MOST_ADDENDA, 'Addenda of the page at most.'),
        }),
      },
      responses: { 200: { description: 'A page of addenda, oldest first.', schema: pageOf(Addendum) } },
      problems: ['invalid_cursor'],
      async handler({ params: { id }, query: { limit, cursor }, tenant }) {
        const listed = ['addenda', tenant.id, id];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [/^\d{1,9}$/]);
        if (position && isProblem(position)) return position;
        if (!(await findOperation(pool, tenant.id, id))) return problem('not_found');
        const rows = await listAddenda(pool, tenant.id, id, {
          limit: limit + 1,
          ...(position ? { after: Number(position[0]) } : {}),
        });
        return {
          status: 200,
          body: pageFrom(rows, limit, listed, ({ number }) => [String(number)], addendumView),
        };
      },
    }),
  ];
}

function addendumView(addendum: SignedAddendum): z.input<typeof Addendum> {
  return {
    number: addendum.number,
    ...signatureView(addendum),
    changes: addendum.changes,
    jws: JSON.parse(addendum.jws),
  };
}
