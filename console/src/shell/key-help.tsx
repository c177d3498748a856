import { Dialog } from '../ui/dialog.tsx';
import { Table } from '../ui/tables/table.tsx';

const KEYS = [
  ['Ctrl K or ⌘K', 'Find any id, key, ticket, screen or action'],
  ['/', 'Go to the filter of the screen'],
  ['j and k', 'The next and the previous row'],
  ['e or Enter', 'Open the row'],
  ['x', 'Pick the row'],
  ['?', 'These keys'],
  ['Esc', 'Close what is open'],
] as const;

/** The keys of the console. */
export function KeyHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keys">
      <Table
        label="Keys"
        rows={KEYS}
        rowKey={([key]) => key}
        columns={[
          { key: 'key', head: 'Key', cell: ([key]) => <kbd>{key}</kbd> },
          { key: 'does', head: 'Does', cell: ([, does]) => does },
        ]}
      />
    </Dialog>
  );
}
