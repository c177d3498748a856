import { readInput } from '../../command/body.ts';
import { command } from '../../command/command.ts';
import type { Context } from '../../shell/context.ts';
import { makePlan } from './make-plan.ts';
import { PACE_FLAGS, retryBody } from './options.ts';
import { planLines, runWords } from './plan-view.ts';
import { idsIn, SELECTION_FLAGS, type SelectionFlags, selectionOf, selectionWords } from './selection.ts';
import { LIMIT_FLAGS } from './wait-limits.ts';

/** `--ids -` becomes the ids on standard input. */
export async function withIdsRead<Flags extends SelectionFlags>(
  context: Context,
  flags: Flags,
): Promise<Flags> {
  return flags.ids?.length === 1 && flags.ids[0] === '-'
    ? { ...flags, ids: idsIn(await readInput(context, '-')) }
    : flags;
}

/** The command that makes a plan. */
export const retryPlan = command({
  path: ['retry', 'plan'],
  summary: 'Show what a retry would do, and keep it to be executed by its hash',
  details: ['Nothing is sent. The plan is kept for 24 hours; `redrive retry execute` runs it.'],
  examples: ['redrive retry plan --since 6h --endpoint warehouse', 'redrive retry plan --outage out_…'],
  flags: { ...SELECTION_FLAGS, ...PACE_FLAGS, ...LIMIT_FLAGS },
  covers: ['POST /api/v1/retries/plans', 'GET /api/v1/retries/plans/{id}'],
  async run(context, { flags }) {
    const { out, speaker } = context;
    const select = selectionOf(await withIdsRead(context, flags));
    const api = await context.api();
    speaker.say(`Selected: ${selectionWords(select)}.`);
    const plan = await makePlan(context, api, { select, ...retryBody(flags) }, flags);
    if (out.form === 'table') await out.lines(planLines(plan));
    else await out.one(plan);
    speaker.say(runWords(plan));
  },
});
