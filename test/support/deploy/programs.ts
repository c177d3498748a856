import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that is no package of npm: tests that need it are left out, loudly, where it is not there. */
export interface Program {
  /** Where it is; undefined where it is not. */
  path: string | undefined;
  /** What is missing, and how it comes here. */
  missing: string;
}

/** Reads and tests rules of Prometheus. */
export const PROMTOOL: Program = {
  path: named('REDRIVE_TEST_PROMTOOL') ?? onPath('promtool'),
  missing:
    'There is no promtool for the tests of alerts: install it (Debian: `apt-get install -y prometheus`), or name one in REDRIVE_TEST_PROMTOOL.',
};

/** Whether a run without these programs is a run that failed, as in CI. */
export function programsAreRequired(): boolean {
  return process.env.REDRIVE_TEST_PROGRAMS === 'required';
}

/** What is missing here of the programs that tests need. */
export function missingPrograms(): string[] {
  return PROMTOOL.path === undefined ? [PROMTOOL.missing] : [];
}

function named(variable: string): string | undefined {
  return process.env[variable] || undefined;
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .find(existsSync);
}
