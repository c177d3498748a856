import { answerOf, type components, errorOf } from '@redrive/client';
import { allOf, argument, command, list, onOff } from '../../command/command.ts';
import { endpointColumn } from '../../command/endpoint-column.ts';
import { LIMIT_FLAG, writeList } from '../../command/listing.ts';
import { queryString } from '../../command/query.ts';
import { usage } from '../../core/stop.ts';
import type { Column } from '../../core/table.ts';
import { whole } from '../../core/text.ts';
import { RISK_NAMES } from './plan-view.ts';

type Item = Extract<components['schemas']['OperationItem'], { kind: 'item' }>;

const ITEM_STATES = allOf<Item['state'] | 'excluded'>({
  queued: true,
  scheduled: true,
  sending: true,
  unknown: true,
  superseded: true,
  cancelled: true,
  ignored: true,
  failed: true,
  delivered: true,
  excluded: true,
});

type Loose = Record<string, unknown>;

const itemColumns = (endpoint: Column<Loose>): Column<Loose>[] => [
  { head: 'delivery', cell: ({ deliveryId }) => deliveryId },
  endpoint,
  { head: 'type', cell: ({ eventType }) => eventType },
  { head: 'state', cell: ({ kind, state }) => (kind === 'exclusion' ? 'excluded' : state) },
  { head: 'why', cell: ({ reason, faultCode }) => reason ?? faultCode },
  { head: 'status', cell: ({ httpStatus }) => httpStatus, right: true },
  { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
];

const planItemColumns = (endpoint: Column<Loose>): Column<Loose>[] => [
  { head: 'delivery', cell: ({ deliveryId }) => deliveryId },
  endpoint,
  { head: 'type', cell: ({ eventType }) => eventType },
  { head: 'risks', cell: ({ risks }) => risks },
  { head: 'left out for', cell: ({ leftOutFor }) => leftOutFor },
];

/** The command that lists a ledger. */
export const retryItems = command({
  path: ['retry', 'items'],
  summary: 'List the items of an operation, or the deliveries of a plan',
  details: [
    'Each delivery that was selected is one line: what became of it, or why it was left out. With -o ndjson, and without --limit, it is the ledger of the operation: the lines that were signed, to the byte.',
  ],
  examples: [
    'redrive retry items op_… -o ndjson > ledger.ndjson',
    'redrive retry items op_… --state failed',
    'redrive retry items pln_… --risk mayHaveArrived',
  ],
  args: { operation: argument('the operation or plan') },
  flags: {
    state: list('<state>', 'items in these states', { choices: ITEM_STATES }),
    risk: list('<risk>', 'deliveries of a plan with these risks', { choices: RISK_NAMES }),
    asNow: onOff('as they are now, where the ledger is closed'),
    csv: onOff('as a table for spreadsheets'),
    ...LIMIT_FLAG,
  },
  covers: ['GET /api/v1/retries/{id}/items', 'GET /api/v1/retries/plans/{id}/items'],
  async run(context, { args, flags }) {
    const { out } = context;
    const { calls, raw } = await context.api();
    const id = args.operation;
    if (id.startsWith('pln_')) {
      if (flags.state || flags.csv || flags.asNow)
        throw usage('A plan has no states yet: --risk says more of it.');
      const query = flags.risk ? { risk: flags.risk } : {};
      let gone = 0;
      await writeList(
        context,
        flags,
        async (page) => {
          const shown = await answerOf(
            calls.GET('/api/v1/retries/plans/{id}/items', {
              params: { path: { id }, query: { ...query, ...page } },
            }),
          );
          gone += shown.gone;
          return shown;
        },
        planItemColumns(await endpointColumn(context)),
      );
      if (gone > 0)
        context.speaker.say(`Not listed: ${whole(gone)} whose events are past their term and gone.`);
      return;
    }
    if (flags.risk) throw usage('--risk is for plans: an operation has states.');
    if (flags.csv && flags.limit !== undefined)
      throw usage('--csv writes all of them, whatever --limit says: leave one of the two out.');
    const query = {
      ...(flags.state ? { state: flags.state } : {}),
      ...(flags.asNow ? { as: 'now' as const } : {}),
    };
    if (flags.csv || (out.form === 'ndjson' && flags.limit === undefined)) {
      const accept = flags.csv ? 'text/csv' : 'application/x-ndjson';
      const response = await raw(`/api/v1/retries/${encodeURIComponent(id)}/items${queryString(query)}`, {
        headers: { accept },
      });
      if (!response.ok || !response.body)
        throw errorOf(await response.json().catch(() => undefined), response);
      return out.jsonBytes(response.body);
    }
    await writeList(
      context,
      flags,
      (page) =>
        answerOf(
          calls.GET('/api/v1/retries/{id}/items', { params: { path: { id }, query: { ...query, ...page } } }),
        ),
      itemColumns(await endpointColumn(context)),
    );
  },
});
