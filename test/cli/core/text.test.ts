import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tableLines } from '../../../cli/src/core/table.ts';
import { cell, percent, safe, safeJson, width } from '../../../cli/src/core/text.ts';

describe('what others have written', () => {
  test('does nothing to a terminal, whatever it is', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(safe(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(cell(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(cell({ a: [text] })).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    ));

  test('is shown by the numbers of its characters', () => {
    expect(safe('red\u001b[31m')).toBe('red\\u001b[31m');
    expect(safe('\u009b2J')).toBe('\\u009b2J');
    expect(safe('evil\u202efdp.exe')).toBe('evil\\u202efdp.exe');
    expect(safe('Zürich – 東京')).toBe('Zürich – 東京');
  });

  test('stays the same JSON', () =>
    fc.assert(
      fc.property(fc.json(), (json) => {
        const compact = JSON.stringify(JSON.parse(json));
        expect(JSON.parse(safeJson(compact))).toEqual(JSON.parse(compact));
      }),
    ));
});

describe('a table', () => {
  test('has its columns below each other, numbers at the right, wide characters counted twice', () => {
    const rows = [
      { name: '東京', count: 5 },
      { name: 'a', count: 1_000 },
    ];
    const lines = tableLines(
      [
        { head: 'name', cell: (row: (typeof rows)[number]) => row.name },
        { head: 'n', cell: (row) => row.count, right: true },
      ],
      rows,
      [],
    );
    expect(lines).toEqual(['name     n', '東京     5', 'a     1000']);
    expect(new Set(lines.map(width)).size).toBe(1);
  });

  test('shows nothing as a dash', () =>
    expect([null, undefined, '', []].map(cell)).toEqual(['–', '–', '–', '–']));
});

test('a part is never shown as nothing, nor as all', () => {
  expect(percent(1, 1_000_000)).toBe('< 0.1 %');
  expect(percent(999_999, 1_000_000)).toBe('> 99.9 %');
  expect(percent(0, 10)).toBe('0 %');
  expect(percent(10, 10)).toBe('100 %');
});
