import { textField } from './fields.ts';

/** An actor that is searched for: as it is shown, or by the name alone that a person has. */
export const actorField = textField(
  500,
  'An actor, whole: as it is shown, or without its `actor:`.',
  'key_01k9z3e5hbe7r9qk2m4n6p8r0s',
);

/** The actors that are meant: a name alone is that of a person, who is kept as `actor:<name>`. */
export function actorsMeant(said: readonly string[]): string[] {
  return said.flatMap((actor) => (/^(actor:|jwt:|key_)/.test(actor) ? [actor] : [actor, `actor:${actor}`]));
}
