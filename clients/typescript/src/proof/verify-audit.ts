import { type CheckpointFault, type KeptCheckpoints, type KeptFile, readCheckpoints } from './checkpoints.ts';
import type { KeySet } from './jws.ts';
import type { Lines } from './lines.ts';
import { type ChainFault, type ChainVerdict, verifyChain, verifyChainStream } from './verify-chain.ts';

/** The export of an audit, and what was kept of it elsewhere. */
export interface AuditEvidence {
  /** The lines of `GET /api/v1/audit` with `Accept: application/x-ndjson` and no filter, oldest first. */
  entries: string | readonly string[];
  /**
   * Files that hold ends of the chain: answers of `…/checkpoints`, signed reports, events of operations, lines of the log.
   * Those that are newer than the export are missed in it.
   */
  kept?: readonly KeptFile[] | undefined;
  /** A copy of `/.well-known/redrive/jwks.json`: each end of the chain has to be signed by one of these keys then. */
  keys?: KeySet | undefined;
}

/** Whether the chain is whole, and how far; or its first fault, by a code and in one sentence. */
export type AuditVerdict =
  | {
      ok: true;
      entries: number;
      /** The newest entry, and its hash. */
      number: number;
      hash: string;
      /** Entries whose words were erased. */
      erased: number;
      /** Ends of the chain that it agrees with, and how many of them are signed. */
      checkpoints: number;
      signed: number;
    }
  | ({ ok: false; says: string } & ChainFault)
  | {
      ok: false;
      says: string;
      fault: 'checkpoint';
      file: string;
      index: number;
      why: CheckpointFault;
    };

/** The same of an export that is read as it is verified: `read` begins anew with each call. */
export type AuditStreamEvidence = Omit<AuditEvidence, 'entries'> & { read: () => Lines };

/** Verifies an export of the audit without asking anybody. */
export function verifyAudit({ entries, ...evidence }: AuditEvidence): AuditVerdict {
  const known = knownOf(evidence);
  if (!known.ok) return known;
  const lines = typeof entries === 'string' ? entries.split('\n').filter((line) => line !== '') : entries;
  return verdictOf(verifyChain(lines, known.checkpoints), known);
}

/** The same for an export of any length: one entry is held at a time, unless something is wrong. */
export async function verifyAuditStream({ read, ...evidence }: AuditStreamEvidence): Promise<AuditVerdict> {
  const known = knownOf(evidence);
  if (!known.ok) return known;
  return verdictOf(await verifyChainStream(read, known.checkpoints), known);
}

type Known = Extract<KeptCheckpoints, { ok: true }>;

function knownOf({
  kept = [],
  keys,
}: Omit<AuditEvidence, 'entries'>): Known | Extract<AuditVerdict, { fault: 'checkpoint' }> {
  const known = readCheckpoints(kept, keys);
  if (known.ok) return known;
  const says = `The checkpoint at ${known.index} of ${known.file} counts for nothing: ${CHECKPOINT_WORDS[known.why]}.`;
  return { ...known, says };
}

function verdictOf(verdict: ChainVerdict, { checkpoints, signed }: Known): AuditVerdict {
  return verdict.ok
    ? { ...verdict, checkpoints: checkpoints.length, signed }
    : { ...verdict, says: sentenceOf(verdict) };
}

const CHECKPOINT_WORDS: Record<CheckpointFault, string> = {
  unreadable: 'it cannot be read',
  unsigned: 'it is not signed',
  unknown_key: 'none of the keys is the one that it names',
  revoked_key: 'its key was revoked',
  bad_signature: 'its signature does not hold',
  other_content: 'what was signed is not what stands beside it',
};

function sentenceOf(fault: ChainFault): string {
  switch (fault.fault) {
    case 'changed':
      return `Entry ${fault.number} is not what was sealed.`;
    case 'missing':
      return 'until' in fault ? endsEarly(fault) : `Entry ${fault.number} was removed.`;
    case 'inserted':
      return `Entry ${fault.number} was slipped in.`;
    case 'exchanged':
      return `Entries ${fault.number} and ${fault.with} stand in each other’s place.`;
    case 'rewritten':
      return `The chain was written anew after entry ${fault.after}: a checkpoint says another hash for entry ${fault.number}.`;
    case 'unreadable':
      return `Line ${fault.line} is no entry, or has a member twice or one that nothing seals.`;
  }
}

/** No file says whether an export was cut off or made early: whoever fetched both knows which of them came first. */
function endsEarly({ number, until }: { number: number; until: number }): string {
  const missing = number === until ? `Entry ${number} is` : `Entries ${number} to ${until} are`;
  return `${missing} missing at the end: a checkpoint names entry ${until}. The export was cut off, or made before that checkpoint: export again.`;
}
