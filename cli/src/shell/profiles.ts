import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Config, Profile } from '../core/connection.ts';
import { Stop } from '../core/stop.ts';
import { writePrivately } from './private-file.ts';

/** The file of profiles: one's own, and readable for nobody else. */
export class Profiles {
  readonly file: string;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.file = join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'redrive', 'config.json');
  }

  async read(): Promise<Config> {
    let text: string;
    try {
      text = await readFile(this.file, 'utf8');
    } catch (error) {
      // No such file, or a home that is no folder (`/dev/null`, of services).
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return { profiles: {} };
      throw new Stop('failed', `${this.file} cannot be read: ${(error as Error).message}`);
    }
    const config = parsed(text);
    if (!config)
      throw new Stop(
        'failed',
        `${this.file} is no file of profiles.`,
        'move it away, and `redrive auth login`',
      );
    return config;
  }

  /** Whether others than its owner may read it. */
  async isOpen(): Promise<boolean> {
    if (process.platform === 'win32') return false;
    const found = await stat(this.file).catch(() => undefined);
    return found !== undefined && (found.mode & 0o077) !== 0;
  }

  /** Writes it whole: a process that dies meanwhile leaves what was there. */
  async write(config: Config): Promise<void> {
    await writePrivately(this.file, `${JSON.stringify(config, null, 2)}\n`);
  }
}

function parsed(text: string): Config | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('profiles' in value)) return undefined;
    const { profiles } = value;
    if (typeof profiles !== 'object' || profiles === null) return undefined;
    const whole = Object.values(profiles).every(isProfile);
    return whole ? (value as Config) : undefined;
  } catch {
    return undefined;
  }
}

function isProfile(value: unknown): value is Profile {
  return (
    typeof value === 'object' &&
    value !== null &&
    'url' in value &&
    typeof value.url === 'string' &&
    'key' in value &&
    typeof value.key === 'string'
  );
}
