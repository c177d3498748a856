import { expect, test } from '@jest/globals';
import { linkOriginOf, publicOriginOf } from '../../src/config/public-origin.ts';

const OWN = 'http://127.0.0.1:4400';
const TLS = 'https://redrive.example.com';

test.each([
  ['on loopback', { host: '127.0.0.1' }, OWN, OWN],
  [
    'on loopback by another name',
    { host: 'localhost', publicOrigin: 'http://localhost:4400' },
    'http://localhost:4400',
    'http://localhost:4400',
  ],
  ['on loopback behind a proxy', { host: '127.0.0.1', publicOrigin: TLS }, TLS, undefined],
  ['for others', { host: '0.0.0.0' }, undefined, undefined],
  ['for others, by TLS', { host: '0.0.0.0', publicOrigin: TLS }, TLS, undefined],
  ['for others, though named as loopback', { host: '0.0.0.0', publicOrigin: OWN }, OWN, undefined],
  [
    'for others, in plain text',
    { host: '10.0.0.7', publicOrigin: 'http://10.0.0.7:4400' },
    'http://10.0.0.7:4400',
    undefined,
  ],
])('a service %s is known to browsers, and prints links, or not', (_, config, origin, links) => {
  expect(publicOriginOf(config, OWN)).toBe(origin);
  expect(linkOriginOf(config, OWN)).toBe(links);
});

test('a default port is no part of an origin', () => {
  expect(publicOriginOf({ host: 'localhost' }, 'http://localhost:80')).toBe('http://localhost');
});
