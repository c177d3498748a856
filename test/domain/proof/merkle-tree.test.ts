import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toHex } from '../../../src/domain/proof/hex.ts';
import { leafHash, pathOf, rootByPath, rootOf } from '../../../src/domain/proof/merkle-tree.ts';
import { isInLedger, sealOf } from '../../../src/domain/proof/verification.ts';
import { sha256 } from '../../../src/proof/sha256.ts';

/** The leaves and roots by which implementations of Certificate Transparency are commonly tested. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'));
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const hashesOf = (leaves: readonly Uint8Array[]) => leaves.map((leaf) => leafHash(sha256, leaf));
const linesOf = (count: number) => Array.from({ length: count }, (_, n) => `{"n":${n}}`);

describe('the root of a hash tree', () => {
  test.each(ROOTS.map((root, size) => ({ root, size })))('over $size known leaves', ({ root, size }) => {
    expect(toHex(rootOf(sha256, hashesOf(LEAVES.slice(0, size))))).toBe(root);
  });

  test('is that over the roots of equal parts, whatever their number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.constantFrom(1, 2, 4, 8, 16), (size, part) => {
        const hashes = hashesOf(linesOf(size).map((line) => Buffer.from(line)));
        const parts = Array.from({ length: Math.ceil(size / part) }, (_, n) =>
          rootOf(sha256, hashes.slice(n * part, (n + 1) * part)),
        );
        expect(rootOf(sha256, parts)).toEqual(rootOf(sha256, hashes));
      }),
    );
  });
});

describe('a path', () => {
  const anyPlace = fc
    .integer({ min: 1, max: 70 })
    .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat({ max: size - 1 }) }));

  test('leads from its leaf to the root, put together from a part and the parts, too', () => {
    fc.assert(
      fc.property(anyPlace, fc.constantFrom(1, 4, 16), ({ size, index }, part) => {
        const leaves = linesOf(size).map((line) => Buffer.from(line));
        const hashes = hashesOf(leaves);
        const parts = Array.from({ length: Math.ceil(size / part) }, (_, n) =>
          hashes.slice(n * part, (n + 1) * part),
        );
        const number = Math.floor(index / part);
        const path = [
          ...pathOf(sha256, parts[number] ?? [], index % part),
          ...pathOf(
            sha256,
            parts.map((each) => rootOf(sha256, each)),
            number,
          ),
        ];
        expect(path).toEqual(pathOf(sha256, hashes, index));
        const leaf = leaves[index] ?? Buffer.of();
        expect(rootByPath(sha256, { index, size, leaf, path })).toEqual(rootOf(sha256, hashes));
      }),
    );
  });

  test('proves its own line at its own place, and nothing else', () => {
    fc.assert(
      fc.property(anyPlace, fc.nat(), ({ size, index }, bit) => {
        const lines = linesOf(size);
        const ledger = sealOf(sha256, lines);
        const hashes = hashesOf(lines.map((line) => Buffer.from(line)));
        const proof = {
          line: lines[index] ?? '',
          leafIndex: index,
          treeSize: size,
          path: pathOf(sha256, hashes, index).map(toHex),
        };
        expect(isInLedger(sha256, proof, ledger)).toBe(true);
        const changed = proof.path.map((hex, at) =>
          at === bit % proof.path.length ? hex.replace(/^./, (c) => (c === '0' ? '1' : '0')) : hex,
        );
        const others = [
          { ...proof, line: `${proof.line} ` },
          { ...proof, line: lines[index + 1] ?? 'none' },
          { ...proof, treeSize: size + 1 },
          { ...proof, leafIndex: size },
          { ...proof, leafIndex: -1 },
          { ...proof, path: [...proof.path, ledger.merkleRoot] },
          { ...proof, path: [...proof.path, 'not a hash'] },
          ...(size > 1
            ? [
                { ...proof, path: changed },
                { ...proof, path: proof.path.slice(1) },
                { ...proof, leafIndex: (index + 1) % size },
              ]
            : []),
        ];
        expect(others.map((other) => isInLedger(sha256, other, ledger))).toEqual(others.map(() => false));
        expect(isInLedger(sha256, proof, { ...ledger, merkleRoot: toHex(sha256(Buffer.of(1))) })).toBe(false);
      }),
    );
  });
});
