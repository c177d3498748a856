import { words } from '../../format/words.ts';
import { Table } from '../../ui/tables/table.tsx';

/** A member that differs. */
export interface Change {
  member: string;
  was?: unknown;
  now?: unknown;
}

/** What differs, member by member. */
export function Changes({ changes }: { changes: readonly Change[] }) {
  return (
    <Table
      label="What differs"
      rows={changes}
      rowKey={({ member }) => member}
      columns={[
        { key: 'member', head: 'Member', cell: ({ member }) => words(member) },
        { key: 'was', head: 'Was', cell: ({ was }) => <code>{shown(was)}</code> },
        { key: 'now', head: 'Is', cell: ({ now }) => <code>{shown(now)}</code> },
      ]}
    />
  );
}

function shown(value: unknown): string {
  if (value === undefined) return 'not shown to this session';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
