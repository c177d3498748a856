import type { Flag } from './command.ts';

/** The one flag of each member of a body or a filter. */
export type MemberFlags = Readonly<Record<string, Readonly<Record<string, Flag>>>>;

/** All of these flags together. */
export type FlagsOf<Members> =
  Members extends Record<string, infer Each>
    ? (Each extends unknown ? (each: Each) => void : never) extends (all: infer All) => void
      ? All
      : never
    : never;

/** The flags of members, as those of a command. */
export function flagsOf<const Members extends MemberFlags>(members: Members): FlagsOf<Members> {
  return Object.assign({}, ...Object.values(members)) as FlagsOf<Members>;
}

/** The members that were said by their flags; one that was not said is left out. */
export function saidOf(members: MemberFlags, flags: object): Record<string, unknown> {
  const said: Record<string, unknown> = {};
  for (const [member, named] of Object.entries(members)) {
    const [flag = ''] = Object.keys(named);
    const value = (flags as Record<string, unknown>)[flag];
    if (value !== undefined) said[member] = value;
  }
  return said;
}
