import type { components } from '@redrive/client';
import { timeRange } from '../../core/durations.ts';
import { type Column, factLines, tableLines } from '../../core/table.ts';
import { counted, whole } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';

/** A plan as the API shows it. */
export type Plan = components['schemas']['Plan'];
type Risk = keyof Plan['risks'];

/** What each risk means; one that has no words does not compile. */
const RISKS: Readonly<Record<Risk, string>> = {
  mayHaveArrived: 'an attempt may have arrived: they may arrive twice, with the same webhook-id',
  unknown: 'nobody knows their outcome yet: they wait for that',
  openElsewhere: 'are open elsewhere, and join that',
  heldByPaused: 'are held by an operation that was stopped',
  alreadyDelivered: 'are delivered: only a replay sends them again',
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

/** How many a plan could deliver twice. */
export function duplicatesOf({ risks, kind, newIdentity }: Plan): number {
  return risks.mayHaveArrived + (kind === 'replay' && !newIdentity ? risks.alreadyDelivered : 0);
}

/** A plan as lines: what it would do, its risks, and where. */
export function planLines(plan: Plan): string[] {
  const left = plan.count.items - plan.count.sends;
  return [
    ...factLines([
      ['plan', plan.id],
      ['hash', plan.planHash],
      ['deliveries', whole(plan.count.items)],
      ['sent', `${whole(plan.count.sends)}${left > 0 ? `, ${whole(left)} left out` : ''}`],
      ['takes', plan.timeToFinish ? timeRange(plan.timeToFinish) : undefined],
      ['valid until', shownTime(plan.expiresAt)],
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

function riskLines({ risks }: Plan): string[] {
  const found = RISK_NAMES.filter((risk) => risks[risk] > 0);
  if (found.length === 0) return ['risks  none'];
  const columns: Column<Risk>[] = [
    { head: 'risk', cell: (risk) => risk },
    { head: '', cell: (risk) => whole(risks[risk]), right: true },
    { head: 'they', cell: (risk) => RISKS[risk] },
  ];
  return tableLines(columns, found, []);
}

const ENDPOINT_COLUMNS: Column<Plan['endpoints'][number]>[] = [
  { head: 'endpoint', cell: ({ handle }) => handle },
  { head: 'state', cell: ({ state }) => state },
  { head: 'sent', cell: ({ sends }) => whole(sends), right: true },
  { head: 'left out', cell: ({ items, sends }) => whole(items - sends), right: true },
  { head: 'takes', cell: ({ timeToFinish }) => timeRange(timeToFinish) },
  { head: 'changed', cell: ({ changed }) => changed },
];
