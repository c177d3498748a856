import type { components } from '@redrive/client';
import type { Column } from '../../core/table.ts';
import { whole } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';

/** An import as the API shows it. */
export type Import = components['schemas']['Import'];

/** An import as facts, the equation of its lines one a part. */
export function importFacts(shown: Import): (readonly [string, unknown])[] {
  return [
    ['import', shown.id],
    ['from', shown.from],
    ['state', shown.state],
    ['lines', whole(shown.lines)],
    ['= accepted', whole(shown.accepted)],
    ['+ duplicates', whole(shown.duplicates)],
    ['+ refused', whole(shown.refused)],
    ['+ blank', whole(shown.blank)],
    ['batch', shown.ingestionBatchId],
    ['opened', shownTime(shown.openedAt)],
    ['ended', shownTime(shown.endedAt)],
  ];
}

/** The columns of a list of imports. */
export const IMPORT_COLUMNS: readonly Column<Import>[] = [
  { head: 'import', cell: ({ id }) => id },
  { head: 'from', cell: ({ from }) => from },
  { head: 'state', cell: ({ state }) => state },
  { head: 'lines', cell: ({ lines }) => whole(lines), right: true },
  { head: 'accepted', cell: ({ accepted }) => whole(accepted), right: true },
  { head: 'duplicates', cell: ({ duplicates }) => whole(duplicates), right: true },
  { head: 'refused', cell: ({ refused }) => whole(refused), right: true },
  { head: 'opened', cell: ({ openedAt }) => shownTime(openedAt) },
];
