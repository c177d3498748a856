import { expect, test } from '@jest/globals';
import { originOf, publicUrl, readUrl } from '../../../src/domain/endpoints/url.ts';

/** More calls than V8 takes to compile the function. */
const CALLS = 50_000;

test('a URL with Latin-1 letters is one as often as it is asked for', () => {
  let refused = 0;
  for (let n = 0; n < CALLS; n++) if (readUrl('https://hücks.example/ü') === undefined) refused += 1;
  expect(refused).toBe(0);
  expect(readUrl('https://')).toBeUndefined();
});

test.each([
  ['https://hücks.example:8443/ü', 'https://xn--hcks-0ra.example:8443'],
  ['nonsense', 'nonsense'],
])('the origin of %s is %s', (url, origin) => {
  expect(originOf(url)).toBe(origin);
});

test.each([
  ['https://user:pass@example.com:8443/a/b?token=1#c', 'https://example.com:8443/a/b'],
  ['http://example.com', 'http://example.com/'],
  ['nonsense', ''],
])('%s is shown as %s', (url, shown) => {
  expect(publicUrl(url)).toBe(shown);
});
