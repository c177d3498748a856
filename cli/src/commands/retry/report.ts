import { answerOf, errorOf } from '@redrive/client';
import { argument, type Command, command, onOff } from '../../command/command.ts';
import { LIMIT_FLAG, writeList } from '../../command/listing.ts';
import { operationId } from '../../core/operation-ids.ts';
import { shownTime } from '../../core/times.ts';
import { equation } from './progress-view.ts';

const report = command({
  path: ['retry', 'report'],
  summary: 'Show the report of an operation that has ended, or fetch it as it was signed',
  examples: [
    'redrive retry report op_… --signed > report.json',
    'redrive report verify report.json --jwks jwks.json',
  ],
  args: { operation: argument('the operation, op_…', operationId) },
  flags: { signed: onOff('the JWS, to be kept and verified') },
  covers: ['GET /api/v1/retries/{id}/report'],
  async run({ api, out }, { args, flags }) {
    const { calls, raw } = await api();
    const id = args.operation;
    if (flags.signed) {
      const response = await raw(`/api/v1/retries/${encodeURIComponent(id)}/report`, {
        headers: { accept: 'application/jose+json' },
      });
      if (!response.ok) throw errorOf(await response.json().catch(() => undefined), response);
      return out.json(await response.text());
    }
    const shown = await answerOf(calls.GET('/api/v1/retries/{id}/report', { params: { path: { id } } }));
    if (out.form !== 'table') return out.one(shown);
    const { counts, ledger, signature, ...rest } = shown;
    await out.one(shown, [
      ['operation', rest.operationId],
      ['state', rest.state],
      ['equation', equation(counts)],
      ['may have arrived', rest.mayHaveArrived],
      ['attempts', rest.attempts],
      ['began', shownTime(rest.createdAt)],
      ['closed', shownTime(rest.closedAt)],
      ['by', rest.requestedBy],
      ['reason', rest.reason],
      ['ticket', rest.ticket],
      ['exclusions', Object.keys(rest.exclusions).length > 0 ? rest.exclusions : undefined],
      ['ledger', ledger ? `${ledger.lines} lines, root ${ledger.merkleRoot}` : undefined],
      ['signed by', signature?.kid],
    ]);
  },
});

const addenda = command({
  path: ['retry', 'addenda'],
  summary: 'List what was settled after the report, each addendum signed by itself',
  args: { operation: argument('the operation, op_…', operationId) },
  flags: LIMIT_FLAG,
  covers: ['GET /api/v1/retries/{id}/report/addenda'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    await writeList(
      context,
      flags,
      ({ limit, ...page }) =>
        answerOf(
          calls.GET('/api/v1/retries/{id}/report/addenda', {
            // An addendum can be long: a page holds fewer of them.
            params: { path: { id: args.operation }, query: { limit: Math.min(limit, 10), ...page } },
          }),
        ),
      [
        { head: 'number', cell: ({ number }) => number, right: true },
        { head: 'changes', cell: ({ changes }) => changes, right: true },
        { head: 'signed', cell: ({ signedAt }) => shownTime(signedAt) },
        { head: 'key', cell: ({ kid }) => kid },
      ],
    );
  },
});

const proof = command({
  path: ['retry', 'proof'],
  summary: 'Fetch the proof of one line of the ledger',
  examples: ['redrive retry proof op_… dlv_… -o json > proof.json'],
  args: {
    operation: argument('the operation, op_…', operationId),
    delivery: argument('the delivery, dlv_…'),
  },
  covers: ['GET /api/v1/retries/{id}/items/{deliveryId}/proof'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(
      await answerOf(
        calls.GET('/api/v1/retries/{id}/items/{deliveryId}/proof', {
          params: { path: { id: args.operation, deliveryId: args.delivery } },
        }),
      ),
    );
  },
});

/** The commands about what came of an operation. */
export const REPORTING: readonly Command[] = [report, addenda, proof];
