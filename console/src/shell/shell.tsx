import { ProblemError } from '@redrive/client';
import { useQuery } from '@tanstack/react-query';
import { Outlet, useLocation, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { LivenessContext, useStream } from '../api/live.ts';
import { allows, MeProvider } from '../api/me.tsx';
import { meQuery } from '../api/queries.ts';
import { inputText } from '../api/search-input.ts';
import { setCaller } from '../api/sessions.ts';
import { setTenant } from '../api/tenant.ts';
import { moveRow, openRow } from '../keys/row-keys.ts';
import { useKeys } from '../keys/use-keys.ts';
import { Failure, Loading } from '../ui/notice.tsx';
import { ChooseTenant } from './choose-tenant.tsx';
import { CommandPalette } from './command-palette.tsx';
import { KeyHelp } from './key-help.tsx';
import styles from './shell.module.css';
import { Side } from './side.tsx';
import { SignIn } from './sign-in.tsx';
import { givenSignInCode } from './sign-in-code.ts';

/** The frame of all screens; without a session it asks for one, and the address stays for afterwards. */
export function Shell() {
  const tenant = inputText(useSearch({ from: '__root__' }).tenant);
  // Before the first call of a screen below: each names the tenant that stands in the URL.
  setTenant(tenant);
  // A link that signs in comes before the question who is here, which would only be refused.
  const [code, setCode] = useState(givenSignInCode);
  const me = useQuery({ ...meQuery, enabled: code === undefined });
  // Before the questions of the screens below, too: their answers are kept for who has asked.
  setCaller(me.data?.tenant?.id, me.data?.actor);
  const signedOut = me.error instanceof ProblemError && me.error.problem.status === 401;
  const mayFollow = !signedOut && allows(me.data?.scopes ?? [], 'read:deliveries');
  const liveness = useStream(mayFollow ? me.data?.tenant?.id : undefined);
  if (code !== undefined) return <SignIn code={code} onSignedIn={() => setCode(undefined)} />;
  if (signedOut) return <SignIn ended={me.error} />;
  if (me.data === undefined)
    return (
      <main className={styles.alone}>
        {me.isPending ? (
          <Loading what="the console" />
        ) : (
          <Failure error={me.error} what="the console" retry={() => void me.refetch()} />
        )}
      </main>
    );
  return (
    <MeProvider me={me.data}>
      {me.data.tenant === null ? (
        <ChooseTenant />
      ) : (
        <LivenessContext value={liveness}>
          <Frame />
        </LivenessContext>
      )}
    </MeProvider>
  );
}

function Frame() {
  const [finding, setFinding] = useState(false);
  const [helping, setHelping] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    // Who reads by ear, or moves by keys, goes on at the title of the new screen.
    main.current?.querySelector('h1')?.focus();
  }, [pathname]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      setFinding((open) => !open);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  useKeys({
    '?': () => setHelping(true),
    // A table that knows better, such as a long one, comes first.
    j: () => moveRow(main.current, 1),
    k: () => moveRow(main.current, -1),
    e: openRow,
    '/': () => {
      const filter = main.current?.querySelector<HTMLElement>('[data-filter]');
      if (filter) filter.focus();
      else setFinding(true);
    },
  });
  return (
    <>
      <a className={styles.skip} href="#main">
        Skip to the content
      </a>
      <div className={styles.shell}>
        <Side onFind={() => setFinding(true)} onHelp={() => setHelping(true)} />
        <main id="main" ref={main} className={styles.main} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <CommandPalette open={finding} onClose={() => setFinding(false)} />
      <KeyHelp open={helping} onClose={() => setHelping(false)} />
    </>
  );
}
