/** Why a line is refused, as a sentence about it. */
export const REFUSALS = {
  line_too_long: 'The line has more than 4 MiB.',
  not_utf8: 'The line is not UTF-8.',
  not_json: 'The line is not JSON: each line has to hold one whole object.',
  not_an_object: 'The line is JSON, but no object.',
  nested_too_deep: 'The line nests deeper than 256 levels.',
  too_many_members: 'The line has more than 60,000 members and entries.',
  missing: 'A member is missing that the format needs.',
  wrong_member: 'A member is not as the format says.',
  payload_too_large: 'The payload has more than 1 MiB.',
  payload_not_json: 'The payload is not JSON, which is all that Redrive sends.',
  members_too_large: 'The members that the format does not know have more than 16 KiB.',
  not_ended: 'The other system may still send it: export it once it has ended there.',
  was_delivered: 'It was delivered there: there is nothing to recover.',
  unmapped: 'Nothing in the mapping stands for its endpoint.',
  event_unknown:
    'Its message has not been imported: put the lines of messages before those of their attempts.',
  too_many_attempts: 'Its delivery would have more than 200 attempts.',
  payload_gone:
    'It was imported before, and its payload has expired or was erased since, so that nothing can be sent: under another `source` it is a new event.',
} as const;

/** Why a line is not taken. */
export type RefusalReason = keyof typeof REFUSALS;

/** Why a line changes nothing, as a sentence about it. */
export const DUPLICATES = {
  known: 'It was imported before.',
  event_exists: 'An event with this id, type and source was sent to Redrive itself.',
  sent_since: 'It was imported before, and Redrive has taken it up since.',
  id_taken: 'Another delivery at this endpoint has this `webhook-id`.',
} as const;

/** Why a line changes nothing. */
export type DuplicateReason = keyof typeof DUPLICATES;

/** The reason of a line, as a sentence. */
export function lineWords(reason: string): string | undefined {
  return ({ ...REFUSALS, ...DUPLICATES } as Record<string, string>)[reason];
}
