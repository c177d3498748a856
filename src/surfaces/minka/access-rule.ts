/** What can be granted: to start retries of a bridge's events, and to list them. */
export const ACCESS_ACTIONS = ['retry-event', 'query-event'] as const;

/** One of {@link ACCESS_ACTIONS}. */
export type AccessAction = (typeof ACCESS_ACTIONS)[number];

/** Matches whatever is there; something must be. */
export const ANY = 'any';

/** A value, {@link ANY}, or one of several values. */
export type AccessValue = string | { $in: string[] };

/** Grants an action to whoever meets all of its conditions; what a rule leaves out it does not ask for. */
export interface AccessRule {
  action: AccessValue;
  record?: AccessValue;
  /** Who signed the request: handle or public key. */
  signer?: AccessValue;
  /** Who signed its token: handle or public key. */
  bearer?: AccessValue;
}

/** A signer under both of its names. */
export interface NamedSigner {
  handle: string;
  /** Base64 of the 32 bytes. */
  public: string;
}

/** What is asked for, and by whom. */
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
      (rule.signer === undefined || matches(rule.signer, asked.signers.flatMap(namesOf))) &&
      (rule.bearer === undefined || matches(rule.bearer, bearers.flatMap(namesOf))),
  );
}

function namesOf(signer: NamedSigner): string[] {
  return [signer.handle, signer.public];
}

function matches(value: AccessValue, names: readonly string[]): boolean {
  const wanted = typeof value === 'string' ? [value] : value.$in;
  return names.some((name) => wanted.includes(name) || wanted.includes(ANY));
}
