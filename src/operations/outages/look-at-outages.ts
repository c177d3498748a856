import type { Operation } from '../../domain/operations/operation.ts';
import {
  isRarelyLookedAt,
  nextOfOpen,
  nextOfRecovered,
  runsAtOnce,
} from '../../domain/outages/outage-look.ts';
import type { OutageRules } from '../../domain/outages/outage-rules.ts';
import type { OnRecovered, OutageChange, OutageEnd } from '../../domain/outages/outage-state.ts';
import { present } from '../../domain/present.ts';
import { alias, type Id, showId } from '../../domain/tenancy/typed-id.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { announceOutage } from '../../store/outages/announce-outage.ts';
import {
  lookInWindow,
  notePlannedAgain,
  openFacts,
  putOffLook,
  recoveredFacts,
  takeLooks,
} from '../../store/outages/outage-looks.ts';
import { newestMadePlan } from '../../store/outages/outage-operations.ts';
import { endOutage, holdPace, recoverOutage } from '../../store/outages/outage-states.ts';
import { loadOutage, type Outage } from '../../store/outages/outages.ts';
import { queueTrial } from '../../store/outages/trials.ts';
import { logOutage } from '../../telemetry/outage-log.ts';
import { beginAccepted } from '../accept-operation.ts';
import { executePlan } from '../plans/execute-plan.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { BY_ITSELF, cancelWaiting, planWindow } from './plan-window.ts';

const LOOKS_AT_ONCE = 50;

/** What a look has done, in its transaction, and what is left to be done once that is committed. */
interface Looked {
  change?: OutageChange;
  planned?: Operation;
  cancelled?: Operation[];
  tried?: Id<'delivery'>;
  execute?: { tenantId: Id<'tenant'>; operationId: Id<'operation'>; planHash: string };
}

/**
 * Looks at the outages whose turn it is: finds the endpoints that are back, plans what they missed, and ends outages of
 * which nothing is left. Each step is one transaction, so that a process that dies in it has done all of it or nothing.
 */
export async function lookAtOutages(
  deps: RecoveryDeps,
  rules: OutageRules,
  stop: AbortSignal,
  attempt: (part: string, work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  for (let taken = LOOKS_AT_ONCE; taken === LOOKS_AT_ONCE && !stop.aborted; ) {
    const due = await takeLooks(deps.pool, LOOKS_AT_ONCE, rules.looksEveryMs);
    taken = due.length;
    for (const { id, endpointId } of due)
      await attempt('outage', () => lookAtOutage(deps, rules, { id, endpointId }));
  }
}

/** Looks at one outage, and does what is to be done about it. */
export async function lookAtOutage(
  deps: RecoveryDeps,
  rules: OutageRules,
  { id, endpointId }: Pick<Outage, 'id'> & { endpointId: Id<'endpoint'> },
): Promise<void> {
  const looked = await withTransaction(deps.pool, async (tx): Promise<Looked> => {
    // The pace first, as everybody who opens one: an endpoint that fails at this moment comes before this or after it.
    await holdPace(tx, endpointId);
    const outage = await loadOutage(tx, id);
    if (outage?.state === 'open') return lookAtOpen(tx, outage, rules);
    return outage?.state === 'recovered' ? lookAtRecovered(tx, outage, rules) : {};
  });
  await follow(deps, looked);
}

async function lookAtOpen(tx: Transaction, outage: Outage, rules: OutageRules): Promise<Looked> {
  const { onRecovered, ...facts } = await openFacts(tx, outage, { dueWithinMs: rules.backForMs });
  const step = nextOfOpen(facts, rules);
  switch (step.do) {
    case 'wait':
      if (isRarelyLookedAt(facts)) await putOffLook(tx, outage.id, rules.looksRarelyEveryMs);
      return {};
    case 'end':
      return end(tx, outage, step.for);
    case 'recover':
      return recover(tx, outage, onRecovered, rules);
    case 'try':
      return tryOne(tx, outage, onRecovered);
  }
}

/** Ends the window of an outage and, where that is asked for, plans it: both or neither. */
async function recover(
  tx: Transaction,
  before: Outage,
  onRecovered: OnRecovered,
  rules: OutageRules,
): Promise<Looked> {
  const { open, toSend } = await lookInWindow(tx, before);
  const change = await recoverOutage(tx, before.id, { hadOpen: open });
  // With its window, which ends now.
  const outage = change && (await loadOutage(tx, before.id));
  if (!change || !outage) return {};
  const asked = onRecovered !== 'none' && toSend;
  const made = asked
    ? await planWindow(tx, outage, rules, { runs: runs(outage, onRecovered, rules) })
    : undefined;
  await announceOutage(tx, change, 'outage.recovered', {
    to: outage.window.to.toISOString(),
    ...(made?.planned ? { plan: showId('plan', alias('plan', made.planned.id)) } : {}),
  });
  return { change, ...made };
}

/**
 * Sends one delivery of the window to see whether the endpoint is back; one that asked for nothing is only looked at.
 * Where nothing of the window is left there is nothing that could show it, nor anything to be done.
 */
async function tryOne(tx: Transaction, outage: Outage, onRecovered: OnRecovered): Promise<Looked> {
  const tried = onRecovered === 'none' ? undefined : await queueTrial(tx, outage);
  if (tried) return { tried };
  const { open, toSend, unknown } = await lookInWindow(tx, outage);
  return open || toSend || unknown ? {} : end(tx, outage, 'nothing_left');
}

async function lookAtRecovered(tx: Transaction, outage: Outage, rules: OutageRules): Promise<Looked> {
  const facts = await recoveredFacts(tx, outage);
  const plan = await newestMadePlan(tx, outage.id);
  const step = nextOfRecovered({ ...facts, ...present({ plan: plan?.stands }) });
  switch (step.do) {
    case 'wait':
      if (isRarelyLookedAt(facts)) await putOffLook(tx, outage.id, rules.looksRarelyEveryMs);
      return {};
    case 'end':
      return end(tx, outage, step.for);
    case 'execute':
      return plan?.planHash
        ? { execute: { ...plan, tenantId: outage.tenantId, planHash: plan.planHash } }
        : {};
    case 'plan_again':
      await notePlannedAgain(tx, outage.id);
      if (!step.plan) return {};
      return planWindow(tx, outage, rules, { runs: runs(outage, facts.onRecovered, rules) });
  }
}

async function end(tx: Transaction, outage: Outage, why: OutageEnd): Promise<Looked> {
  const change = await endOutage(tx, outage.id, why);
  return change ? { change, cancelled: await cancelWaiting(tx, outage) } : {};
}

function runs({ window }: Outage, onRecovered: OnRecovered, rules: OutageRules): boolean {
  return runsAtOnce(onRecovered, window.to.getTime() - window.from.getTime(), rules);
}

/** Everything here is made up for where it is lost: the sweeper starts and nudges, and the next look executes. */
async function follow(
  deps: RecoveryDeps,
  { change, planned, cancelled, tried, execute }: Looked,
): Promise<void> {
  if (change) logOutage(deps.log, change);
  if (tried) deps.pokeLiveLane();
  if (planned) await beginAccepted(deps, planned, BY_ITSELF, { planned: true });
  for (const operation of cancelled ?? []) await deps.nudgeOperation(operation);
  if (!execute) return;
  const { tenantId, operationId, planHash } = execute;
  await executePlan(deps, tenantId, operationId, { planHash }, BY_ITSELF);
}
