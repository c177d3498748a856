import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useEffect, useId, useState } from 'react';
import type { Found } from '../api/coming.ts';
import { searchQuery } from '../api/queries.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { Quiet } from '../ui/text.tsx';
import styles from './command-palette.module.css';

interface Entry {
  key: string;
  text: string;
  kind: string;
  open: () => void;
}

/** Finds anything by its id, key or ticket, and leads to every screen. */
export function CommandPalette({ open, onClose }: { open: boolean; onClose: () => void }) {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const list = useId();
  const wanted = useDeferredValue(text.trim());
  const found = useQuery({ ...searchQuery(wanted), enabled: open && wanted.length > 1 });
  const screens = useScreens();
  const openFound = useOpenFound();
  useEffect(() => {
    if (!open) setText('');
  }, [open]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other words, other entries
  useEffect(() => setChosen(0), [text]);

  const named = byForm(wanted);
  const results = [...(found.data?.items ?? []), ...(named && !found.data?.items.length ? [named] : [])];
  const entries: Entry[] = [
    ...results.map((result) => ({
      key: `${result.kind} ${result.id}`,
      text: result.label,
      kind: result.kind,
      open: () => openFound(result),
    })),
    ...screens.filter(({ text: name }) => name.toLowerCase().includes(text.trim().toLowerCase())),
  ];
  const take = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.open();
  };
  const current = entries[Math.min(chosen, entries.length - 1)];
  return (
    <Dialog open={open} onClose={onClose} title="Find">
      <Field
        label="An id, webhook-id, your own id, a key, a ticket, or a screen"
        value={text}
        onValue={setText}
        role="combobox"
        aria-expanded={entries.length > 0}
        {...(entries.length > 0 ? { 'aria-controls': list } : {})}
        aria-activedescendant={current ? `${list}-${entries.indexOf(current)}` : undefined}
        autoComplete="off"
        spellCheck={false}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setChosen((now) => Math.min(entries.length - 1, now + 1));
          else if (event.key === 'ArrowUp') setChosen((now) => Math.max(0, now - 1));
          else if (event.key === 'Enter') take(current);
          else return;
          event.preventDefault();
        }}
      />
      {entries.length > 0 ? (
        <div id={list} role="listbox" aria-label="Found" className={styles.list}>
          {entries.map((entry, at) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field, which keeps the focus
            <div
              key={entry.key}
              id={`${list}-${at}`}
              role="option"
              tabIndex={-1}
              aria-selected={entry === current}
              className={styles.entry}
              onClick={() => take(entry)}
            >
              <span>{entry.text}</span>
              <span className={styles.kind}>{entry.kind}</span>
            </div>
          ))}
        </div>
      ) : null}
      {entries.length === 0 ? (
        <p role="status">
          <Quiet>
            {found.isFetching
              ? 'Looking…'
              : 'Nothing has exactly this id, key or ticket. Paste the whole of it.'}
          </Quiet>
        </p>
      ) : null}
    </Dialog>
  );
}

const PREFIXES: Readonly<Record<string, string>> = {
  dlv: 'delivery',
  op: 'operation',
  pln: 'plan',
  end: 'endpoint',
};

/** What an id names by its form alone, where the search does not know it. */
function byForm(text: string): Found | undefined {
  const prefix = /^(dlv|op|pln|end)_[0-9a-z]{26}$/.exec(text)?.[1];
  const kind = prefix && PREFIXES[prefix];
  return kind ? { kind, id: text, label: text } : undefined;
}

function useOpenFound(): (found: Found) => void {
  const navigate = useNavigate();
  return ({ kind, id }) => {
    if (kind === 'delivery') void navigate({ to: '/deliveries/$id', params: { id } });
    else if (kind === 'operation') void navigate({ to: '/operations/$id', params: { id } });
    else if (kind === 'plan') void navigate({ to: '/recover', search: { plan: id } });
    else if (kind === 'endpoint') void navigate({ to: '/endpoints/$id', params: { id } });
    else if (kind === 'outage') void navigate({ to: '/recover', search: { outage: id } });
    else if (kind === 'action') void navigate({ to: '/audit', search: { action: id } });
    else if (kind === 'ticket') void navigate({ to: '/operations', search: { text: id } });
    else if (kind === 'key') void navigate({ to: '/failures', search: { key: id, state: 'any' } });
    else void navigate({ to: '/audit', search: { target: id } });
  };
}

function useScreens(): Entry[] {
  const navigate = useNavigate();
  const screen = (text: string, open: () => void): Entry => ({ key: text, text, kind: 'screen', open });
  return [
    screen('Now', () => void navigate({ to: '/' })),
    screen('Failures', () => void navigate({ to: '/failures' })),
    screen('Recover all failures', () => void navigate({ to: '/recover', search: { state: 'failed' } })),
    screen('Operations', () => void navigate({ to: '/operations' })),
    screen('Approvals', () => void navigate({ to: '/approvals' })),
    screen('Endpoints', () => void navigate({ to: '/endpoints' })),
    screen('Audit', () => void navigate({ to: '/audit' })),
    screen('Settings', () => void navigate({ to: '/settings' })),
  ];
}
