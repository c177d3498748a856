/**
 * The actions that can be granted: to start retries of a bridge's events, to list them, and to read the bridge itself.
 */
export const ACCESS_ACTIONS = ['retry-event', 'query-event', 'read'] as const;

/** One of {@link ACCESS_ACTIONS}. */
export type AccessAction = (typeof ACCESS_ACTIONS)[number];

/** Matches any value; there must be one. */
export const ANY = 'any';

/** A value, {@link ANY}, or one of several values. */
export type AccessValue = string | { $in: string[] };

/** A signer by its handle or its key; by both where both are said. */
export interface SignerRule {
  handle?: string;
  /** Base64 of the 32 bytes. */
  public?: string;
  /** How the key is written: there is one way. */
  format?: string;
}

/** Handle or public key, {@link ANY}, or a signer in its parts. */
export type SignerName = string | SignerRule;

/** The signer who must have signed, or several of whom one must have. */
export type SignerValue = SignerName | { $in: SignerName[] };

/**
 * Grants an action to a caller who meets all of its conditions; a condition that a rule leaves out is not asked for.
 */
export interface AccessRule {
  action: AccessValue;
  record?: AccessValue;
  /** Who signed the request. */
  signer?: SignerValue;
  /** Who signed its token; `$signer` says the same. */
  bearer?: SignerValue | { $signer: SignerValue };
}

/** A signer under both of its names. */
export interface NamedSigner {
  handle: string;
  /** Base64 of the 32 bytes. */
  public: string;
}

/** The action that is asked for, and who asks. */
export interface AccessRequest {
  action: AccessAction;
  record: 'bridge';
  signers: NamedSigner[];
  bearer?: NamedSigner;
}

/** Whether one of the rules grants it; without rules nothing is granted. */
export function isGranted(rules: readonly AccessRule[], asked: AccessRequest): boolean {
  const bearers = asked.bearer ? [asked.bearer] : [];
  return rules.some(
    (rule) =>
      matches(rule.action, [asked.action]) &&
      (rule.record === undefined || matches(rule.record, [asked.record])) &&
      (rule.signer === undefined || isOneOf(rule.signer, asked.signers)) &&
      (rule.bearer === undefined || isOneOf(bearerOf(rule.bearer), bearers)),
  );
}

/**
 * Whether a signer has a part in what a rule grants: a condition names it, or no condition names anybody. Where a request
 * needs two signers each of them has: one who registers both would otherwise be asked about neither.
 */
export function isOpenTo({ signer, bearer }: AccessRule, asked: NamedSigner): boolean {
  const conditions = [signer, bearer && bearerOf(bearer)].filter((value) => value !== undefined);
  const narrow = conditions.filter((value) => !namesIn(value).includes(ANY));
  return narrow.length === 0 || narrow.some((value) => isOneOf(value, [asked]));
}

function bearerOf(value: NonNullable<AccessRule['bearer']>): SignerValue {
  return hasSigner(value) ? value.$signer : value;
}

function hasSigner(value: NonNullable<AccessRule['bearer']>): value is { $signer: SignerValue } {
  return typeof value === 'object' && '$signer' in value;
}

function isOneOf(value: SignerValue, signers: readonly NamedSigner[]): boolean {
  return signers.some((signer) => namesIn(value).some((name) => isNamed(name, signer)));
}

function namesIn(value: SignerValue): SignerName[] {
  return typeof value === 'object' && '$in' in value ? value.$in : [value];
}

function isNamed(name: SignerName, signer: NamedSigner): boolean {
  if (typeof name === 'string') return name === ANY || name === signer.handle || name === signer.public;
  return (
    (name.handle !== undefined || name.public !== undefined) &&
    (name.handle ?? signer.handle) === signer.handle &&
    (name.public ?? signer.public) === signer.public
  );
}

/** Whether a value of a rule is one of these names, or any. */
export function matches(value: AccessValue, names: readonly string[]): boolean {
  const wanted = typeof value === 'string' ? [value] : value.$in;
  return names.some((name) => wanted.includes(name) || wanted.includes(ANY));
}
