import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useLocation } from '@tanstack/react-router';
import { useContext, useEffect, useState } from 'react';
import { LivenessContext, usePolling } from '../api/live.ts';
import { useMe, useMissing } from '../api/me.tsx';
import { type Theme, usePreferences } from '../api/preferences.tsx';
import { operationsQuery } from '../api/queries.ts';
import { signOut } from '../api/session.ts';
import { orMore } from '../format/numbers.ts';
import mark from '../mark.svg';
import { Button } from '../ui/button.tsx';
import { Sign } from '../ui/state.tsx';
import styles from './shell.module.css';

const SCREENS = [
  { to: '/', name: 'Now' },
  { to: '/failures', name: 'Failures' },
  { to: '/operations', name: 'Operations' },
  { to: '/approvals', name: 'Approvals' },
  { to: '/endpoints', name: 'Endpoints' },
  { to: '/audit', name: 'Audit' },
  { to: '/settings', name: 'Settings' },
] as const;

/** The screens, who is here, and how times and colours are shown. */
export function Side({ onFind, onHelp }: { onFind: () => void; onHelp: () => void }) {
  const [open, setOpen] = useState(false);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another screen closes the menu
  useEffect(() => setOpen(false), [pathname]);
  return (
    <header className={styles.side} data-open={open}>
      <div className={styles.top}>
        <Link to="/" className={styles.brand} aria-label="Redrive, to the screen Now">
          <img src={mark} width="24" height="24" alt="" />
          Redrive
        </Link>
        <button type="button" className={styles.find} onClick={onFind}>
          Find <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K'}</kbd>
        </button>
        <Button
          className={styles.menu ?? ''}
          aria-expanded={open}
          aria-controls="screens"
          onClick={() => setOpen((now) => !now)}
        >
          Menu
        </Button>
      </div>
      <nav id="screens" className={styles.nav} aria-label="Screens">
        {SCREENS.map(({ to, name }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === '/', includeSearch: false }}>
            {name}
            {to === '/approvals' ? <Waiting /> : null}
          </Link>
        ))}
      </nav>
      <Foot onHelp={onHelp} />
    </header>
  );
}

/** How many operations wait for an approval that this session could give. */
function Waiting() {
  const me = useMe();
  const mayApprove = useMissing('approve:retries') === undefined;
  const { data, hasNextPage } = useInfiniteQuery({
    ...operationsQuery({ state: ['awaiting_approval'] }),
    enabled: mayApprove,
    refetchInterval: usePolling(10_000),
  });
  const mine =
    data?.pages.flatMap(({ items }) => items).filter(({ requestedBy }) => requestedBy !== me.actor) ?? [];
  if (!mayApprove || mine.length === 0) return null;
  return (
    <span className={styles.badge}>
      {orMore(mine.length, hasNextPage)}
      <span className="hidden-text"> waiting</span>
    </span>
  );
}

const THEMES: Readonly<Record<Theme, { next: Theme; name: string }>> = {
  system: { next: 'light', name: 'Theme: system' },
  light: { next: 'dark', name: 'Theme: light' },
  dark: { next: 'system', name: 'Theme: dark' },
};

function Foot({ onHelp }: { onHelp: () => void }) {
  const me = useMe();
  const queries = useQueryClient();
  const { zone, theme, set } = usePreferences();
  const liveness = useContext(LivenessContext);
  return (
    <div className={styles.foot}>
      <p className={styles.live}>
        <Sign tone={liveness === 'live' ? 'good' : 'still'} />
        {liveness === 'live' ? 'Live' : liveness === 'polling' ? 'Asking every few seconds' : 'Connecting'}
      </p>
      <div className={styles.switches}>
        <Button small onClick={() => set({ zone: zone === 'utc' ? 'local' : 'utc' })}>
          {zone === 'utc' ? 'Times: UTC' : 'Times: local'}
        </Button>
        <Button small onClick={() => set({ theme: THEMES[theme].next })}>
          {THEMES[theme].name}
        </Button>
        <Button small onClick={onHelp}>
          Keys <kbd>?</kbd>
        </Button>
      </div>
      <p className={styles.who} title={`${me.tenant?.handle}, as ${me.actor}`}>
        <b>{me.tenant?.handle}</b>
        <span className={styles.quiet}>{me.actor}</span>
      </p>
      <Button
        small
        onClick={() => {
          const asked = () => void queries.resetQueries();
          signOut().then(asked, asked);
        }}
      >
        Sign out
      </Button>
    </div>
  );
}
