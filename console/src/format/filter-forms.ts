/** The form that the values of a member of a filter have. */
export interface Form {
  is(value: string): boolean;
  /** What one is. */
  wanted: string;
}

/** The forms of members by their names; one that is not here may be anything. */
export type Forms<Member extends string = string> = { readonly [Each in Member]?: Form };

/** A value of a filter that is none of its member. */
export interface NoValue {
  member: string;
  value: string;
  why: string;
}

/** One of these; `wanted` says which they are, where there are many. */
export function oneOf(known: readonly string[], wanted = `one of ${known.join(', ')}`): Form {
  return { is: (value) => known.includes(value), wanted };
}

/** A time as a URL has it. */
export const TIME: Form = { is: (value) => !Number.isNaN(Date.parse(value)), wanted: 'a date and a time' };

/** Why a value is none of its member; undefined where it may be one. */
export function noValueBy(forms: Forms, member: string, value: string): string | undefined {
  const form = forms[member];
  return form === undefined || form.is(value)
    ? undefined
    : `“${value}” is no such value: it has to be ${form.wanted}.`;
}

/** The values of a filter that are none: such a filter matches nothing. */
export function noValuesBy(forms: Forms, filter: Readonly<Record<string, unknown>>): NoValue[] {
  return Object.entries(filter).flatMap(([member, given]) =>
    [given].flat().flatMap((each) => {
      const value = String(each);
      const why = each === undefined ? undefined : noValueBy(forms, member, value);
      return why === undefined ? [] : [{ member, value, why }];
    }),
  );
}
