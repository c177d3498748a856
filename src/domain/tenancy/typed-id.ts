import { TypeID, typeid } from 'typeid-js';

/** The prefixes under which ids are shown; inside, every id is a plain uuid. */
export const ID_PREFIXES = {
  tenant: 'ten',
  endpoint: 'end',
  event: 'evt',
  delivery: 'dlv',
  execution: 'exe',
  attempt: 'att',
  operation: 'op',
  /** The same operation, as a surface may name a replay. */
  replay: 'rpl',
  plan: 'pln',
  receipt: 'rcp',
  key: 'key',
  jwtIssuer: 'iss',
  session: 'ses',
  signer: 'sgn',
  accessRule: 'acr',
  receiptReplay: 'rrp',
  diagnostics: 'dgn',
  resolution: 'rsl',
  signingKey: 'sgk',
  auditEntry: 'aud',
  outage: 'out',
  listener: 'lsn',
  import: 'imp',
} as const;

/** The kind of thing that a shown id stands for. */
export type IdKind = keyof typeof ID_PREFIXES;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

declare const idKind: unique symbol;

/**
 * A uuid of one kind; made by the readers and makers here and by the rows of the store, whose types say what a column
 * holds.
 */
export type Id<Kind extends IdKind> = string & { readonly [idKind]: Kind };

/** Shows a uuid as a TypeID (https://github.com/jetify-com/typeid), such as `dlv_01h…`. */
export function showId<Kind extends IdKind>(kind: Kind, id: Id<NoInfer<Kind>>): string {
  return TypeID.fromUUID(ID_PREFIXES[kind], id).toString();
}

/** Reads an id in either spelling, TypeID or uuid in either case; undefined where it is neither or of another kind. */
export function readId<Kind extends IdKind>(kind: Kind, text: string): Id<Kind> | undefined {
  if (UUID.test(text)) return text.toLowerCase() as Id<Kind>;
  try {
    return TypeID.fromString(text, ID_PREFIXES[kind]).toUUID() as Id<Kind>;
  } catch {
    return undefined;
  }
}

/** Reads an id of any kind, in either spelling; undefined where it is none. */
export function readAnyId(text: string): Id<IdKind> | undefined {
  const kinds = Object.keys(ID_PREFIXES) as IdKind[];
  return kinds.map((kind) => readId(kind, text)).find((id) => id !== undefined);
}

/** Makes the id of something new; later ids sort later. */
export function newId<Kind extends IdKind>(kind: Kind): Id<Kind> {
  return typeid(ID_PREFIXES[kind]).toUUID() as Id<Kind>;
}

/** Marks an id that is written in the code. */
export function fixedId<Kind extends IdKind>(_kind: Kind, uuid: string): Id<Kind> {
  return uuid as Id<Kind>;
}

/** Kinds that name the same row: some surfaces have names of their own for events and operations. */
interface OtherName {
  plan: 'operation';
  event: 'receipt';
  receipt: 'event';
  operation: 'replay' | 'plan';
  replay: 'operation';
}

/** Gives an id the other kind that its row is known under: nothing else is ever one and the other. */
export function alias<Kind extends keyof OtherName>(_kind: Kind, id: Id<OtherName[NoInfer<Kind>]>): Id<Kind> {
  return id as string as Id<Kind>;
}
