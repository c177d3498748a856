import { TypeID } from 'typeid-js';

/** The prefixes under which ids are shown; inside, every id is a plain uuid. */
export const ID_PREFIXES = {
  tenant: 'ten',
  endpoint: 'end',
  event: 'evt',
  delivery: 'dlv',
  execution: 'exe',
  attempt: 'att',
  operation: 'op',
  /** The same operation, as Zen Mesh names a replay. */
  replay: 'rpl',
  plan: 'pln',
  receipt: 'rcp',
  key: 'key',
  jwtIssuer: 'iss',
  signer: 'sgn',
  accessRule: 'acr',
  receiptReplay: 'rrp',
  diagnostics: 'dgn',
  resolution: 'rsl',
} as const;

/** What a shown id stands for. */
export type IdKind = keyof typeof ID_PREFIXES;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Shows a uuid as a TypeID (https://github.com/jetify-com/typeid), such as `dlv_01h…`. */
export function showId(kind: IdKind, uuid: string): string {
  return TypeID.fromUUID(ID_PREFIXES[kind], uuid).toString();
}

/** Reads an id in either spelling, TypeID or uuid in either case; undefined where it is neither or of another kind. */
export function readId(kind: IdKind, text: string): string | undefined {
  if (UUID.test(text)) return text.toLowerCase();
  try {
    return TypeID.fromString(text, ID_PREFIXES[kind]).toUUID();
  } catch {
    return undefined;
  }
}
