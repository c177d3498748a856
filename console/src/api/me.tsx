import { createContext, type ReactNode, useContext } from 'react';
import type { Schema } from './client.ts';

type Me = Schema<'Me'>;

const MeContext = createContext<Me | undefined>(undefined);

/** Gives the screens below it who is calling. */
export function MeProvider({ me, children }: { me: Me; children: ReactNode }) {
  return <MeContext value={me}>{children}</MeContext>;
}

/** Who is calling. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error('Expected a session.');
  return me;
}

/** The scopes that are a part of another one; who has the whole has the part. */
const WHOLE: Readonly<Record<string, string>> = {
  'edit:endpoints': 'write:endpoints',
  'rotate:secrets': 'write:endpoints',
  'delete:endpoints': 'write:endpoints',
  'recover:plans': 'write:deliveries',
};

/** Whether these scopes allow what `needed` names: the same question as the API's. */
export function allows(scopes: readonly string[], needed: string): boolean {
  const whole = WHOLE[needed];
  return (
    scopes.includes(needed) || scopes.includes('admin') || (whole !== undefined && scopes.includes(whole))
  );
}

/** The scope that is missing; undefined where the caller has it. */
export function useMissing(needed: string | undefined): string | undefined {
  const me = useContext(MeContext);
  return needed === undefined || (me && allows(me.scopes, needed)) ? undefined : needed;
}
