import type { QueryClient } from '@tanstack/react-query';

/** One for the whole tab: it does not hear itself. */
const tabs = new BroadcastChannel('redrive-session');

/** Tells the other tabs that the session of the browser is another: they share its cookie, and would act as who it is now. */
export function tellSessionChanged(): void {
  tabs.postMessage('changed');
}

/** Forgets all that was read for the session before, as soon as another tab has changed it. */
export function followSessions(queries: QueryClient): void {
  tabs.onmessage = () => void queries.resetQueries();
}

let caller = '';

/** Sets who is calling: an answer for one of them is none for another. */
export function setCaller(tenantId: string | undefined, actor: string | undefined): void {
  caller = `${tenantId ?? ''} ${actor ?? ''}`;
}

/** Who is calling, as a part of the keys of answers. */
export function callerKey(): string {
  return caller;
}
