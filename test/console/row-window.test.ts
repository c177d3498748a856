import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HIGHEST_PX, ROW_PX, rowWindow, scrolledTo } from '../../console/src/ui/tables/row-window.ts';

/** Which rows of a long list are in the document, wherever it is scrolled to and however long it is. */

const sightPx = fc.integer({ min: 200, max: 3_000 });
const count = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 20_000_000 }));
/** From the beginning to the end. */
const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));

const drawn = (rows: number) => Math.min(rows * ROW_PX, HIGHEST_PX);
const scrolled = (rows: number, sight: number, part: number) => Math.max(0, drawn(rows) - sight) * part;

describe('the rows in the document', () => {
  test('are few, fill what is in sight, and are as high as the list together with what is left out', () => {
    fc.assert(
      fc.property(count, sightPx, share, (rows, sight, part) => {
        const scrolledPx = scrolled(rows, sight, part);
        const { first, end, abovePx, belowPx } = rowWindow({ count: rows, scrolledPx, sightPx: sight });
        expect(end - first).toBeLessThanOrEqual(97);
        expect(Math.min(abovePx, belowPx)).toBeGreaterThanOrEqual(0);
        expect(abovePx + (end - first) * ROW_PX + belowPx).toBeCloseTo(drawn(rows), 3);
        expect(abovePx).toBeLessThanOrEqual(scrolledPx + ROW_PX + 1e-3);
        const seenPx = Math.min(scrolledPx + sight, drawn(rows));
        expect(abovePx + (end - first) * ROW_PX).toBeGreaterThanOrEqual(seenPx - ROW_PX - 1e-3);
      }),
    );
  });

  test('begin with the first row and end with the last one', () => {
    fc.assert(
      fc.property(count, sightPx, (rows, sight) => {
        fc.pre(rows > 0);
        expect(rowWindow({ count: rows, scrolledPx: 0, sightPx: sight }).first).toBe(0);
        const end = scrolled(rows, sight, 1);
        expect(rowWindow({ count: rows, scrolledPx: end, sightPx: sight }).end).toBe(rows);
      }),
    );
  });

  test('are those of a list that is not scaled, pixel by pixel', () => {
    expect(rowWindow({ count: 1_000, scrolledPx: 3_600, sightPx: 720 })).toEqual({
      ...{ first: 88, end: 132, abovePx: 88 * ROW_PX, belowPx: (1_000 - 132) * ROW_PX },
    });
  });

  test('have a row whole in sight that was scrolled to, and are left alone where it is', () => {
    fc.assert(
      fc.property(count, sightPx, share, share, (rows, sight, part, at) => {
        fc.pre(rows * ROW_PX > sight);
        const index = Math.min(rows - 1, Math.floor(rows * at));
        const frame = { count: rows, scrolledPx: scrolled(rows, sight, part), sightPx: sight };
        const scrolledPx = scrolledTo(index, frame);
        const { first, end, abovePx } = rowWindow({ ...frame, scrolledPx });
        expect(first).toBeLessThanOrEqual(index);
        expect(end).toBeGreaterThan(index);
        const top = abovePx + (index - first) * ROW_PX;
        expect(top).toBeGreaterThanOrEqual(scrolledPx - 0.1);
        expect(top + ROW_PX).toBeLessThanOrEqual(scrolledPx + sight + 0.1);
        expect(scrolledTo(index, { ...frame, scrolledPx })).toBeCloseTo(scrolledPx, 3);
      }),
    );
  });
});
