import type { Command } from '../../command/command.ts';
import { retryExecute } from './execute.ts';
import { LOOKING } from './look.ts';
import { retryPlan } from './plan.ts';
import { REPORTING } from './report.ts';
import { retryRun } from './run.ts';
import { STEERING } from './steer.ts';

/** The commands about recoveries. */
export const RETRY: readonly Command[] = [
  retryRun,
  retryPlan,
  retryExecute,
  ...STEERING,
  ...LOOKING,
  ...REPORTING,
];
