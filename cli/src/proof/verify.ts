import { createReadStream } from 'node:fs';
import { type KeySet, keysIn, verifyAuditStream, verifyReport } from '@redrive/client';
import { usage } from '../core/stop.ts';
import { counted } from '../core/text.ts';
import { isPlain, jsonOf, readable, textIn } from '../shell/files.ts';

/** What a look at files came to: as data, and in one sentence. */
export interface FilesVerdict {
  ok: boolean;
  says: string;
  facts: Record<string, unknown>;
}

/** The files of a report. */
export interface ReportFiles {
  report: string;
  jwks?: string | undefined;
  items?: string | undefined;
  proof?: string | undefined;
  addenda?: string | undefined;
  operation?: string | undefined;
}

/** Verifies a report by files alone. */
export async function verifyReportFiles(files: ReportFiles): Promise<FilesVerdict> {
  if (files.jwks === undefined)
    throw usage(
      'A report proves nothing without the keys that you keep.',
      'say --jwks jwks.json: `redrive signing-keys list -o json` fetches it, best of all early',
    );
  const verdict = await verifyReport({
    report: await evidenceIn(files.report),
    keys: await keySet(files.jwks),
    operation: files.operation,
    // As a stream: a ledger of ten million lines is not held.
    items: files.items === undefined ? undefined : createReadStream(await readable(files.items)),
    proof: files.proof === undefined ? undefined : await evidenceIn(files.proof),
    addenda: files.addenda === undefined ? undefined : (await jsonOf(files.addenda)).text,
  });
  if (!verdict.ok)
    return {
      ok: false,
      says: verdict.why,
      facts: { verified: false, fault: verdict.fault, why: verdict.why },
    };
  const { closure, kid, thumbprint, key, digest, lines, line, addenda, countsNow } = verdict;
  const about = `${closure.operation} ${closure.state}`;
  const ledger =
    lines === undefined
      ? 'its ledger was not looked at'
      : `all ${counted(lines, 'line')} of its ledger are those that were signed, and come to its counts`;
  return {
    ok: true,
    says: `The report of ${about}, signed by ${thumbprint}: ${ledger}.`,
    facts: {
      verified: true,
      operation: closure.operation,
      state: closure.state,
      tenant: closure.tenant,
      expected: closure.counts.expected,
      delivered: closure.counts.delivered,
      failed: closure.counts.failed,
      closedAt: closure.closedAt,
      kid,
      thumbprint,
      retiredAt: key.retiredAt,
      digest,
      lines,
      line,
      addenda: addenda?.length,
      // What the addenda make of it.
      deliveredNow: countsNow?.delivered,
      failedNow: countsNow?.failed,
      unknownNow: countsNow?.unknown,
    },
  };
}

/** Verifies an export of the audit by files alone. */
export async function verifyAuditFiles(
  file: string,
  kept: readonly string[],
  jwks: string | undefined,
): Promise<FilesVerdict> {
  const verdict = await verifyAuditStream({
    read: await again(file),
    kept: await Promise.all(kept.map(async (name) => ({ name, text: await textIn(name) }))),
    keys: jwks === undefined ? undefined : await keySet(jwks),
  });
  if (!verdict.ok) {
    const { says, ok: _, ...facts } = verdict;
    return { ok: false, says, facts: { verified: false, ...facts } };
  }
  const { ok: _, ...facts } = verdict;
  // Most often a file that was cut off, or an export that failed.
  if (verdict.entries === 0)
    return {
      ok: false,
      says: `${file} holds no entry: nothing was verified.`,
      facts: { verified: false, ...facts },
    };
  const ends =
    verdict.checkpoints === 0
      ? 'no end of it that was kept elsewhere was compared: that it was not written anew as a whole is not shown'
      : `it agrees with ${counted(verdict.checkpoints, 'end')} that ${verdict.checkpoints === 1 ? 'was' : 'were'} kept, ${verdict.signed} of them signed`;
  return {
    ok: true,
    says: `${counted(verdict.entries, 'entry', 'entries')} to number ${verdict.number} follow each other; ${ends}.`,
    facts: { verified: true, ...facts },
  };
}

/** Reads a file from its beginning as often as that is called; what can be read once is held, a file is not. */
async function again(file: string): Promise<() => string | AsyncIterable<Uint8Array>> {
  if (await isPlain(file)) return () => createReadStream(file);
  const text = await textIn(file);
  return () => text;
}

async function keySet(file: string): Promise<KeySet> {
  const text = await textIn(file);
  try {
    return { keys: keysIn(text) };
  } catch {
    throw usage(`${file} is no key set: expected the JSON of /.well-known/redrive/jwks.json.`);
  }
}

/** The text of a JSON object, which is verified as it stands there: read here, it would have lost what stands twice. */
async function evidenceIn(file: string): Promise<string> {
  const { value, text } = await jsonOf(file);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usage(`${file} holds no JSON object.`);
  return text;
}
