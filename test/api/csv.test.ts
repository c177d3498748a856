import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { csvLine } from '../../src/api/csv.ts';

/** Reads one line as RFC 4180 says. */
function cellsOf(line: string): string[] {
  const cells: string[] = [];
  let at = 0;
  while (at < line.length - 2 || cells.length === 0) {
    let text = '';
    if (line[at] === '"') {
      for (at += 1; line[at] !== '"' || line[at + 1] === '"'; at += line[at] === '"' ? 2 : 1)
        text += line[at];
      at += 1;
    } else for (; at < line.length - 2 && line[at] !== ','; at += 1) text += line[at];
    cells.push(text);
    at += 1;
  }
  return cells;
}

test('a line keeps every text, and none of them is a formula', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }), (texts) => {
      // The last cell is never empty, so that the end of the line is no cell.
      const cells = cellsOf(csvLine([...texts, 'end']));
      expect(cells.length).toBe(texts.length + 1);
      for (const [n, text] of texts.entries()) {
        expect([text, `'${text}`]).toContain(cells[n]);
        expect(cells[n]).not.toMatch(/^[=+\-@\t\r\n＝＋－＠]/);
      }
    }),
  );
});

test.each([
  [['=cmd|" /C calc"!A0', '@SUM(A1)', '+1', '-1'], `"'=cmd|"" /C calc""!A0",'@SUM(A1),'+1,'-1\r\n`],
  [['＝1', '＋1', '－1', '＠SUM(A1)', '\n=1', 'a＝1'], `'＝1,'＋1,'－1,'＠SUM(A1),"'\n=1",a＝1\r\n`],
  [[null, undefined, '', 0, -5, true], ',,,0,-5,true\r\n'],
  [['a,b', 'a\nb', 'a"b', { a: 1 }], '"a,b","a\nb","a""b","{""a"":1}"\r\n'],
])('%j is written as %j', (cells, line) => {
  expect(csvLine(cells)).toBe(line);
});
