import type { Config } from './config.ts';
import { isLoopback } from './loopback.ts';

type Known = Pick<Config, 'host'> & Partial<Pick<Config, 'publicOrigin'>>;

/**
 * The origin that browsers know a service by: the one that is configured, or that of its own URL where it listens on
 * loopback. Undefined where others reach it by names that it cannot know.
 */
export function publicOriginOf({ publicOrigin, host }: Known, ownUrl: string): string | undefined {
  return publicOrigin ?? (isLoopback(host) ? new URL(ownUrl).origin : undefined);
}

/** The origin for links that sign in whoever has them: only where the service is there for this machine alone. */
export function linkOriginOf(config: Known, ownUrl: string): string | undefined {
  const origin = publicOriginOf(config, ownUrl);
  return origin !== undefined && isLoopback(config.host) && isLoopback(new URL(origin).hostname)
    ? origin
    : undefined;
}
