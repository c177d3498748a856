import type { components } from '@redrive/client';
import { timeRange } from '../../core/durations.ts';
import { type Column, factLines, tableLines } from '../../core/table.ts';
import { counted, whole } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';
import { askedFacts } from './asked-view.ts';
import { stateWords } from './plan-state.ts';

/** A plan as the API shows it. */
export type Plan = components['schemas']['Plan'];
type Risk = keyof Plan['risks'];

/** What each risk means, also for a replay where that is something else; one that has no words does not compile. */
const RISKS: Readonly<Record<Risk, string | ((plan: Plan) => string)>> = {
  mayHaveArrived: ({ newIdentity }) =>
    `an attempt may have arrived: they may arrive twice, ${asWhat(newIdentity)}`,
  unknown: 'nobody knows their outcome yet: they wait for that',
  openElsewhere: 'are open elsewhere, and join that',
  heldByPaused: 'are held by an operation that was stopped',
  alreadyDelivered: ({ kind, newIdentity }) =>
    kind === 'replay'
      ? `are delivered: they are sent again, ${asWhat(newIdentity)}`
      : 'are delivered: they are left alone',
  endpointDisabled: 'are for an endpoint that is disabled',
  endpointDeleted: 'are for an endpoint that is deleted',
  circuitOpen: 'are for an endpoint that is left alone for a while',
  payloadExpired: 'have no payload any more',
  payloadExpiresBeforeItsTurn: 'will have none when it is their turn, at these rates',
  addressChanged: 'were first sent to another address',
  secretRotated: 'are signed with a newer secret',
  filterChanged: 'are for an endpoint that chooses events in another way by now',
  orderBlocked: 'have a delivery of their key before them that is in the way',
  awaitsApproval: 'have to be approved first, by the policy',
};

/** The names of the risks. */
export const RISK_NAMES = Object.keys(RISKS) as Risk[];

function asWhat(newIdentity: boolean): string {
  return newIdentity ? 'each as a new delivery' : 'with the same webhook-id';
}

/** How many a plan could deliver twice. */
export function duplicatesOf({ risks, kind }: Pick<Plan, 'risks' | 'kind'>): number {
  // With a new identity all the more: a receiver that knows duplicates by their webhook-id does the work twice.
  return risks.mayHaveArrived + (kind === 'replay' ? risks.alreadyDelivered : 0);
}

/** A plan as lines: what it would do, its risks, and where. */
export function planLines(plan: Plan): string[] {
  const left = plan.count.items - plan.count.sends;
  return [
    ...factLines([
      ['plan', plan.id],
      ['hash', plan.planHash],
      ['state', stateWords(plan)],
      ...askedFacts(plan),
      ...(plan.reason === null ? [] : [['reason', plan.reason] as const]),
      ...(plan.ticket === null ? [] : [['ticket', plan.ticket] as const]),
      ['by', plan.requestedBy],
      ['deliveries', whole(plan.count.items)],
      ['sent', `${whole(plan.count.sends)}${left > 0 ? `, ${whole(left)} left out` : ''}`],
      ['takes', plan.timeToFinish ? timeRange(plan.timeToFinish) : undefined],
      ...(plan.expiresAt === null ? [] : [['valid until', shownTime(plan.expiresAt)] as const]),
    ]),
    '',
    ...riskLines(plan),
    '',
    ...tableLines(ENDPOINT_COLUMNS, plan.endpoints, []),
    ...(plan.endpointCount > plan.endpoints.length
      ? [`… and ${counted(plan.endpointCount - plan.endpoints.length, 'more endpoint')}`]
      : []),
  ];
}

/** What follows from a plan that nobody has executed. */
export function runWords({ id, planHash, count }: Plan): string {
  return count.items === 0
    ? 'Nothing matches: there is nothing to send.'
    : `Run it by: redrive retry execute ${id} --hash ${planHash}`;
}

function riskLines(plan: Plan): string[] {
  const { risks } = plan;
  const found = RISK_NAMES.filter((risk) => risks[risk] > 0);
  if (found.length === 0) return ['risks  none'];
  const columns: Column<Risk>[] = [
    { head: 'risk', cell: (risk) => risk },
    { head: '', cell: (risk) => whole(risks[risk]), right: true },
    { head: 'they', cell: (risk) => riskWords(risk, plan) },
  ];
  return tableLines(columns, found, []);
}

function riskWords(risk: Risk, plan: Plan): string {
  const words = RISKS[risk];
  return typeof words === 'string' ? words : words(plan);
}

const ENDPOINT_COLUMNS: Column<Plan['endpoints'][number]>[] = [
  { head: 'endpoint', cell: ({ handle }) => handle },
  { head: 'state', cell: ({ state }) => state },
  { head: 'sent', cell: ({ sends }) => whole(sends), right: true },
  { head: 'left out', cell: ({ items, sends }) => whole(items - sends), right: true },
  { head: 'takes', cell: ({ timeToFinish }) => timeRange(timeToFinish) },
  { head: 'changed', cell: ({ changed }) => changed },
];
