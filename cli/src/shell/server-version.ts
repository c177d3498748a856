import type { Context } from './context.ts';

/** The version that the server says it is; undefined where it says none. */
export async function serverVersion(context: Context): Promise<string | undefined> {
  try {
    const { calls } = await context.api();
    const { data } = await calls.GET('/healthz');
    return data?.version;
  } catch {
    return undefined;
  }
}
