import { ProblemError } from '@redrive/client';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { signIn as open } from '../api/session.ts';
import { chosenTenant } from '../api/tenant.ts';
import mark from '../mark.svg';
import { Button } from '../ui/button.tsx';
import { Field } from '../ui/field.tsx';
import { Notice, Refusal } from '../ui/notice.tsx';
import styles from './shell.module.css';

/** Asks for a key or a token, which is exchanged for a cookie and kept nowhere. */
export function SignIn({
  ended,
  code,
  onSignedIn,
}: {
  ended?: unknown;
  code?: string;
  onSignedIn?: () => void;
}) {
  const queries = useQueryClient();
  const [credential, setCredential] = useState('');
  const signIn = useMutation({
    mutationFn: open,
    onSuccess: () => {
      setCredential('');
      onSignedIn?.();
      return queries.resetQueries();
    },
  });
  const { mutate } = signIn;
  const tried = useRef(false);
  useEffect(() => {
    document.title = 'Sign in · Redrive';
    if (tried.current || code === undefined) return;
    tried.current = true;
    mutate({ code });
  }, [mutate, code]);
  const over = ended instanceof ProblemError && ended.code !== 'credential_missing';
  return (
    <main className={styles.alone}>
      <h1 className={styles.brand}>
        <img src={mark} width="24" height="24" alt="" />
        Sign in to Redrive
      </h1>
      {over && !signIn.isPending ? (
        <Notice tone="care" title={ended.problem.title}>
          <p>{ended.problem.detail}</p>
        </Notice>
      ) : null}
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (credential.trim() !== '') mutate({ credential: credential.trim() });
        }}
      >
        <Field
          label="API key or token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={credential}
          onValue={setCredential}
          hint={
            chosenTenant() === undefined
              ? 'It is exchanged for a session of this browser and not kept.'
              : `For the tenant ${chosenTenant()}. It is exchanged for a session of this browser and not kept.`
          }
        />
        <Button
          look="primary"
          type="submit"
          busy={signIn.isPending}
          refused={credential.trim() === '' ? 'Paste a key or a token first.' : undefined}
        >
          Sign in
        </Button>
      </form>
      {signIn.error ? <Refusal error={signIn.error} /> : null}
      <p className={styles.quiet}>
        Where <code>npm start</code> runs, press Enter: it prints a link that signs in by itself.
      </p>
    </main>
  );
}
