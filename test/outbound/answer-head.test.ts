import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AnswerHead } from '../../src/outbound/answer-head.ts';

const anyField = fc.constantFrom(
  'content-length: 3',
  'Content-Length : 3',
  'transfer-encoding: Chunked',
  'connection: close',
  'keep-alive: timeout=7, max=9',
  'retry-after: 5',
  'retry-after:\r\n Sun, 06 Nov 1994\r\n 08:49:37 GMT',
  'x-other: \x01y',
  'no field',
);
const anyHead = fc
  .record({
    status: fc.integer({ min: 100, max: 999 }),
    minor: fc.constantFrom(0, 1),
    fields: fc.array(anyField, { maxLength: 6 }),
    end: fc.constantFrom('\r\n', '\n'),
  })
  .map(({ status, minor, fields, end }) =>
    [`HTTP/1.${minor} ${status} Some`, ...fields, '', ''].join('\r\n').replaceAll('\r\n', end),
  );

function told(answer: string, cuts: number[] = []): string {
  const head = new AnswerHead(10_000);
  head.expect();
  const bytes = Buffer.from(answer, 'latin1');
  const at = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
  return at
    .slice(1)
    .map((end, n) => head.take(bytes.subarray(at[n], end)).toString('latin1'))
    .join('');
}

describe('the part of an answer that is told', () => {
  test('is the same in whatever pieces the answer comes', () => {
    fc.assert(
      fc.property(fc.array(anyHead, { minLength: 1, maxLength: 3 }), fc.array(fc.nat()), (heads, cuts) => {
        const answer = `${heads.join('')}body\r\n\r\n`;
        expect(told(answer, cuts)).toBe(told(answer));
      }),
    );
  });

  test('is a final head with no more than one length, and the body as it came', () => {
    fc.assert(
      fc.property(anyHead, fc.string(), (head, body) => {
        const status = Number(head.slice(9, 12));
        fc.pre(status >= 200);
        const [first, ...rest] = told(`HTTP/1.1 100 C\r\n\r\n${head}${body}`).split('\r\n\r\n');
        expect(first?.startsWith(`HTTP/1.1 ${status} \r\n`)).toBe(true);
        expect(first?.match(/^(content-length|transfer-encoding):/gm)?.length ?? 0).toBeLessThanOrEqual(1);
        expect(rest.join('\r\n\r\n')).toBe(Buffer.from(body, 'latin1').toString('latin1'));
      }),
    );
  });

  test('is bounded, whatever is sent', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3_000 }), { maxLength: 20 }), (lines) => {
        const answer = `HTTP/1.1 200 OK\r\n${lines.map((line) => `retry-after: ${line}`).join('\r\n')}`;
        expect(told(`${answer}${'x'.repeat(20_000)}`).length).toBeLessThan(100);
      }),
    );
  });

  test('is everything between two answers', () => {
    const head = new AnswerHead(1_000);
    expect(head.take(Buffer.from('HTTP/1.1 408 Idle\r\n\r\n')).toString()).toContain('408 Idle');
  });
});
