import { z } from 'zod';
import { type Problem, problem } from '../../../api/problems/problem.ts';

const EXAMPLE = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

/** The digest of what is set as a whole, as it is shown with it. */
export const shownDigest = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({ description, example: EXAMPLE });

/** The digest of what was read, as it is sent with what is to take its place. */
export const readDigest = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/)
    .transform((text) => text.toLowerCase())
    .optional()
    .meta({ description, example: EXAMPLE });

/** Refuses what was to take the place of something that somebody has replaced meanwhile. */
export function replacedMeanwhile(
  code: 'policy_changed' | 'settings_changed',
  { what, advice }: Record<'what' | 'advice', string>,
): Problem {
  return problem(code, { detail: `Nothing was set: ${what}. ${advice}` });
}
