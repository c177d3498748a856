import { answerOf } from '@redrive/client';
import { calls, type Schema } from './client.ts';
import { tellSessionChanged } from './sessions.ts';

/** What a browser names as its own origin by itself; scripts cannot set it, but the document of the calls asks for it. */
const header = () => ({ 'Redrive-Console': '1' as const, Origin: location.origin });

/** Opens a session: its cookie comes with the answer, and what was given for it is kept nowhere. */
export async function signIn(body: Schema<'SignIn'>): Promise<Schema<'Session'>> {
  const session = await answerOf(calls.POST('/console/session', { params: { header: header() }, body }));
  tellSessionChanged();
  return session;
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  await answerOf(calls.DELETE('/console/session', { params: { header: header() } }));
  tellSessionChanged();
}
