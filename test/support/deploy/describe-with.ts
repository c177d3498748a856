import { describe, test } from '@jest/globals';
import { type Program, programsAreRequired } from './programs.ts';

/** Tests that need a program: left out where it is missing, and failed in a run that requires it. */
export function describeWith({ path, missing }: Program, title: string, tests: (path: string) => void): void {
  if (path !== undefined) describe(title, () => tests(path));
  else if (programsAreRequired())
    test(title, () => {
      throw new Error(missing);
    });
  else describe.skip(title, () => tests(''));
}
