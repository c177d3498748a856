import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tableLines } from '../../../cli/src/core/table.ts';
import { cell, percent, safe, safeJson, width } from '../../../cli/src/core/text.ts';
import { guarded, styleFor } from '../../../cli/src/shell/style.ts';

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

const OWN_COLOURS = [1, 2, 22, 31, 32, 33, 39].map((code) => `\u001b[${code}m`);

describe('a line for whoever is at the terminal', () => {
  test('does nothing to it, whatever it is', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, colours) => {
        const said = guarded(`a\u001b[2J\u001b]0;title\u0007${text}\n`, colours);
        const coloursTaken = OWN_COLOURS.reduce((rest, colour) => rest.replaceAll(colour, ''), said);
        expect(coloursTaken).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    ));

  test('keeps the colours that it was given here', () => {
    expect(guarded(styleFor(true).red('x'), true)).toBe('\u001b[31mx\u001b[39m');
    expect(guarded('\u001b[31mx', false)).toBe('\\u001b[31mx');
    expect(guarded('\u001b[5mx', true)).toBe('\\u001b[5mx');
  });
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
