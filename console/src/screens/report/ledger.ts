import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** How many lines a ledger has, and the root of the hash tree over them (RFC 9162). */
export interface LedgerSeal {
  lines: number;
  merkleRoot: string;
}

const encoder = new TextEncoder();

/** Adds lines one after the other; holds a hash for each level of the tree and no more. */
export function ledgerSealer(): { add: (line: string) => void; seal: () => LedgerSeal } {
  const whole: { hash: Uint8Array; size: number }[] = [];
  let lines = 0;
  return {
    add(line) {
      lines += 1;
      let added = { hash: hashOf(0x00, encoder.encode(line)), size: 1 };
      for (let last = whole.at(-1); last?.size === added.size; last = whole.at(-1)) {
        whole.pop();
        added = { hash: hashOf(0x01, last.hash, added.hash), size: last.size * 2 };
      }
      whole.push(added);
    },
    seal() {
      const root = whole.reduceRight<Uint8Array | undefined>(
        (right, { hash }) => (right === undefined ? hash : hashOf(0x01, hash, right)),
        undefined,
      );
      return { lines, merkleRoot: bytesToHex(root ?? sha256(new Uint8Array())) };
    },
  };
}

function hashOf(kind: number, ...parts: Uint8Array[]): Uint8Array {
  const hash = sha256.create().update(Uint8Array.of(kind));
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The seal of a ledger that is streamed line by line; `onLines` is told how far it is. */
export async function sealOfStream(
  body: ReadableStream<Uint8Array>,
  onLines: (lines: number) => void,
): Promise<LedgerSeal> {
  const sealer = ledgerSealer();
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = '';
  let lines = 0;
  for (;;) {
    const { done, value } = await reader.read();
    const parts = `${rest}${value ?? ''}`.split('\n');
    rest = done ? '' : (parts.pop() ?? '');
    for (const line of parts) {
      if (line === '') continue;
      sealer.add(line);
      lines += 1;
    }
    onLines(lines);
    if (done) return sealer.seal();
  }
}
