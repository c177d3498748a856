/** The most members and entries of a text of JSON: no call and no line needs more, and each of them costs memory. */
export const MAX_JSON_MEMBERS = 60_000;
