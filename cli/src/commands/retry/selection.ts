import type { components } from '@redrive/client';
import { list, onOff, type Values, value } from '../../command/command.ts';
import { FILTER_FLAGS, filterOf, filterWords } from '../../command/filter-flags.ts';
import { operationId } from '../../core/operation-ids.ts';
import { usage } from '../../core/stop.ts';
import { counted } from '../../core/text.ts';

/** What a retry selects. */
export type Select = components['schemas']['Select'];

/** The flags by which a retry selects. */
export const SELECTION_FLAGS = {
  ...FILTER_FLAGS,
  ids: list('<id>', 'these deliveries, events or executions; - reads them from standard input'),
  outage: value('<out_…>', 'what this outage left'),
  failuresOf: value('<op_…>', 'what failed in this operation', operationId),
  remainderOf: value('<op_…>', 'what this operation selected and did not deliver', operationId),
  allFailed: onOff('everything that failed, whenever'),
};

/** What was said by them. */
export type SelectionFlags = Partial<Values<typeof SELECTION_FLAGS>>;

const KINDS = { dlv: 'deliveryIds', evt: 'eventIds', exe: 'executionIds' } as const;

/** The selection that the flags say: of one kind, and never of everything by accident. */
export function selectionOf(flags: SelectionFlags): Select {
  const filter = filterOf(flags);
  const filtered = Object.keys(filter).length > 0;
  const said = [
    ...(flags.ids ? ['--ids'] : []),
    ...(flags.outage ? ['--outage'] : []),
    ...(flags.failuresOf ? ['--failures-of'] : []),
    ...(flags.remainderOf ? ['--remainder-of'] : []),
    ...(filtered ? ['a filter'] : []),
    ...(flags.allFailed ? ['--all-failed'] : []),
  ];
  if (said.length === 0)
    throw usage(
      'Nothing is selected, and everything is never meant by saying nothing.',
      'say --since 6h, --endpoint …, --outage …, or --all-failed',
    );
  if (said.length > 1) throw usage(`These exclude each other: ${said.join(', ')}.`);
  if (flags.ids) return byIds(flags.ids);
  if (flags.outage) return { outage: flags.outage };
  if (flags.failuresOf) return { failuresOf: flags.failuresOf };
  if (flags.remainderOf) return { remainderOf: flags.remainderOf };
  return { filter };
}

function byIds(ids: readonly string[]): Select {
  const kinds = new Set(ids.map((id) => KINDS[id.slice(0, 3) as keyof typeof KINDS] ?? 'eventIds'));
  const [kind] = kinds;
  if (kind === undefined)
    throw usage('No ids were given: a selection of nothing is most likely a mistake before this command.');
  if (kinds.size > 1) throw usage('Ids of deliveries, events and executions exclude each other.');
  return { [kind]: [...new Set(ids)] };
}

/** A selection as one line, with the absolute times that durations have become. */
export function selectionWords(select: Select): string {
  if (select.deliveryIds) return counted(select.deliveryIds.length, 'delivery', 'deliveries');
  if (select.eventIds) return `the deliveries of ${counted(select.eventIds.length, 'event')}`;
  if (select.executionIds) return `the deliveries of ${counted(select.executionIds.length, 'execution')}`;
  if (select.outage) return `what the outage ${select.outage} left`;
  if (select.failuresOf) return `what failed in ${select.failuresOf}`;
  if (select.remainderOf) return `what ${select.remainderOf} did not deliver`;
  const { state = ['failed'], ...others } = select.filter ?? {};
  return `${state.join(' or ')} deliveries, ${filterWords(others)}`;
}

/** The ids in a text: each by itself, divided by blanks, lines or commas. */
export function idsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((id) => id !== '');
}
