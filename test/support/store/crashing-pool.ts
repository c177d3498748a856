import type { PoolClient } from 'pg';
import type { Pool } from '../../../src/store/db/pool.ts';

/** Where a process dies: before or after its n-th statement, COMMIT being one like the others. */
export type CrashPoint = { statement: number; after: boolean };

/** The death of a process, which nobody is told of; a test catches it. */
export class Crashed extends Error {}

/**
 * A pool whose user dies at one statement: it hears of nothing any more, and a transaction that it had open is undone
 * as the server does when a connection is lost. A COMMIT that is reached with `after` has happened.
 */
export function crashingPool(pool: Pool, { statement, after }: CrashPoint): Pool {
  let left = statement;
  const through = <T>(query: (...args: unknown[]) => Promise<T>) => {
    return async (...args: unknown[]): Promise<T> => {
      if (args[0] === 'rollback') return query(...args);
      left -= 1;
      if (left < 0 && !after) throw new Crashed();
      const result = await query(...args);
      if (left < 0) throw new Crashed();
      return result;
    };
  };
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(of, name) {
        const member: unknown = Reflect.get(of, name);
        if (typeof member !== 'function') return member;
        if (name === 'query') return through(member.bind(of));
        if (name === 'connect') return async () => wrap((await member.call(of)) as PoolClient);
        return member.bind(of);
      },
    });
  return wrap(pool);
}
