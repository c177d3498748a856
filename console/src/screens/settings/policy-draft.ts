import type { Schema } from '../../api/client.ts';
import { words } from '../../format/words.ts';
import { writtenNumber } from '../../format/written-number.ts';

type Kept = Schema<'Policy'>;
type When = Kept['approveWhen'][number];

/** The quotas of a policy, in the order in which they are shown. */
export const QUOTAS = ['itemsPerOperation', 'itemsPerDay', 'openOperations', 'ratePerSecond'] as const;

const NUMBERS = ['reasonAbove', 'approveAbove', 'approvers', ...QUOTAS] as const;

/** A member of a policy that is written as a number. */
export type NumberName = (typeof NUMBERS)[number];

/** What stands in the form of a policy; what the form does not show stands there, too. */
export type PolicyDraft = Record<NumberName | 'ticketPattern', string> & {
  approveWhen: When[];
  freezeWindows: Kept['freezeWindows'];
};

type Member = keyof PolicyDraft;

const LABELS: Readonly<Record<Exclude<Member, (typeof QUOTAS)[number]>, string>> = {
  reasonAbove: 'A reason above, deliveries',
  ticketPattern: 'Form of a ticket',
  approveAbove: 'Approval above, deliveries',
  approvers: 'Approvers',
  approveWhen: 'Approval, however small, where it',
  freezeWindows: 'Freeze windows',
};

/** What a member is called. */
export function policyLabel(member: Member): string {
  return member in LABELS ? LABELS[member as keyof typeof LABELS] : `Quota: ${words(member)}`;
}

/** A policy as it stands in the form. */
export function draftOf(kept: Kept): PolicyDraft {
  const quotas = Object.fromEntries(QUOTAS.map((quota) => [quota, textOf(kept.quotas[quota])]));
  return {
    reasonAbove: textOf(kept.reasonAbove),
    ticketPattern: kept.ticketPattern ?? '',
    approveAbove: textOf(kept.approveAbove),
    approvers: textOf(kept.approvers.count),
    ...(quotas as Record<(typeof QUOTAS)[number], string>),
    approveWhen: kept.approveWhen,
    freezeWindows: kept.freezeWindows,
  };
}

/** Why a number of it cannot be taken for one. */
export function wrongIn(draft: PolicyDraft): string | undefined {
  return NUMBERS.map((name) => writtenNumber(draft[name]).wrong).find((why) => why !== undefined);
}

/** It as it is sent, in the place of the policy with this digest. */
export function bodyOf(draft: PolicyDraft, digest: string): Schema<'PolicyBody'> {
  const numberOf = (name: NumberName) => writtenNumber(draft[name]).value;
  const pattern = draft.ticketPattern.trim();
  return {
    digest,
    ...given('reasonAbove', numberOf('reasonAbove')),
    ...given('ticketPattern', pattern === '' ? undefined : pattern),
    ...given('approveAbove', numberOf('approveAbove')),
    approveWhen: draft.approveWhen,
    approvers: { count: numberOf('approvers') ?? 1 },
    quotas: Object.assign({}, ...QUOTAS.map((quota) => given(quota, numberOf(quota)))),
    freezeWindows: draft.freezeWindows.map(({ endpoints, ...window }) => ({
      ...window,
      ...given('endpoints', endpoints ?? undefined),
    })),
  };
}

/** What somebody else has changed since the form was read, and whether it was changed in the form, too. */
export interface OthersChange {
  member: Member;
  /** What they have made of it. */
  now: string;
  typed: boolean;
}

/**
 * What was typed over a policy that somebody else has changed since it was read: what was not touched in the form becomes
 * what they have made of it, and all that was typed stays.
 */
export function takenIn(
  read: PolicyDraft,
  now: PolicyDraft,
  draft: PolicyDraft,
): { draft: PolicyDraft; changes: OthersChange[] } {
  const members = Object.keys(draft) as Member[];
  const changed = members.filter((member) => !alike(read[member], now[member]));
  const typed = new Set(
    members.filter((member) => ![read[member], now[member]].some((value) => alike(value, draft[member]))),
  );
  const taken = changed.filter((member) => !typed.has(member));
  return {
    draft: { ...draft, ...Object.fromEntries(taken.map((member) => [member, now[member]])) },
    changes: changed.map((member) => ({ member, now: said(now[member]), typed: typed.has(member) })),
  };
}

function alike(one: PolicyDraft[Member], other: PolicyDraft[Member]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function said(value: PolicyDraft[Member]): string {
  if (typeof value === 'string') return value === '' ? 'none' : value;
  const parts = value.map((each) =>
    typeof each === 'string' ? words(each) : `${each.days.join(', ')} ${each.from}–${each.to} (${each.zone})`,
  );
  return parts.length === 0 ? 'none' : parts.join('; ');
}

function textOf(value: number | null): string {
  return value === null ? '' : String(value);
}

function given<Value>(name: string, value: Value | undefined): Record<string, Value> {
  return value === undefined ? {} : { [name]: value };
}
