import { answerOf } from '@redrive/client';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useEffect, useId, useState } from 'react';
import { calls, type Schema } from '../api/client.ts';
import { searchQuery } from '../api/queries.ts';
import { shortId } from '../format/ids.ts';
import { words } from '../format/words.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { Quiet } from '../ui/text.tsx';
import styles from './command-palette.module.css';

type Found = Schema<'Found'>;

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
      text: result.title === result.id ? result.id : `${result.title}, ${shortId(result.id)}`,
      kind: [words(result.kind), result.state && words(result.state)].filter(Boolean).join(', '),
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

const KINDS: Readonly<Record<string, Found['kind']>> = {
  dlv: 'delivery',
  exe: 'execution',
  evt: 'event',
  op: 'operation',
  pln: 'plan',
  end: 'endpoint',
  out: 'outage',
  imp: 'import',
};

/** What an id names by its form alone, where the search has not answered. */
function byForm(text: string): Omit<Found, 'link'> | undefined {
  const kind = KINDS[/^([a-z]+)_[0-9a-z]{26}$/.exec(text)?.[1] ?? ''];
  return kind && { kind, id: text, matched: 'id', title: text, state: null };
}

function useOpenFound(): (found: Pick<Found, 'kind' | 'id'>) => void {
  const navigate = useNavigate();
  const delivery = (id: string) => void navigate({ to: '/deliveries/$id', params: { id } });
  const open: Record<Found['kind'], (id: string) => void> = {
    delivery,
    // An execution is shown on the screen of its delivery, which it alone knows.
    execution: (id) =>
      void answerOf(calls.GET('/api/v1/executions/{id}', { params: { path: { id } } })).then(
        ({ deliveryId }) => delivery(deliveryId),
        () => delivery(id),
      ),
    event: (id) => void navigate({ to: '/events/$id', params: { id } }),
    operation: (id) => void navigate({ to: '/operations/$id', params: { id } }),
    plan: (id) => void navigate({ to: '/recover', search: { plan: id } }),
    endpoint: (id) => void navigate({ to: '/endpoints/$id', params: { id } }),
    outage: (id) => void navigate({ to: '/recover', search: { outage: id } }),
    // What it took, unless it was told to put that into another batch.
    import: (id) => void navigate({ to: '/failures', search: { ingestionBatchIds: id } }),
    key: () => void navigate({ to: '/settings' }),
    auditEntry: () => void navigate({ to: '/audit' }),
    action: (id) => void navigate({ to: '/audit', search: { action: id } }),
  };
  return ({ kind, id }) => open[kind](id);
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
