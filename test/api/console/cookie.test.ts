import { describe, expect, test } from '@jest/globals';
import { isRead, refusedWrite } from '../../../src/api/authentication/own-page.ts';
import {
  cookieForm,
  readSessionCookie,
  writeSessionCookie,
} from '../../../src/api/authentication/session-cookie.ts';

const SECRET = 'q'.repeat(43);
const ORIGIN = 'https://redrive.example.com';

test.each([
  ['https://redrive.example.com', { name: '__Host-redrive', secure: true }],
  ['https://localhost:8443', { name: '__Host-redrive', secure: true }],
  ['http://127.0.0.1:4400', { name: 'redrive-4400', secure: false }],
  ['http://localhost:4401', { name: 'redrive-4401', secure: false }],
  ['http://[::1]:4400', { name: 'redrive-4400', secure: false }],
  ['http://localhost', { name: 'redrive-80', secure: false }],
  ['http://10.0.0.7:4400', undefined],
  ['http://redrive.example.com', undefined],
  ['http://localhost.example.com', undefined],
  ['http://127.0.0.1.example.com', undefined],
  [undefined, undefined],
])('the cookie at %s', (origin, form) => {
  expect(cookieForm(origin)).toEqual(form);
});

test('the cookie is for this origin, requests of its own pages, and no script', () => {
  expect(writeSessionCookie({ name: '__Host-redrive', secure: true }, SECRET)).toBe(
    `__Host-redrive=${SECRET}; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict; Secure`,
  );
  expect(writeSessionCookie({ name: 'redrive-4400', secure: false })).toBe(
    'redrive-4400=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
  );
});

test.each([
  ['alone', `redrive-4400=${SECRET}`, SECRET],
  ['among others', `a=b; redrive-4400=${SECRET}; c=d`, SECRET],
  ['of another port', `redrive-4401=${SECRET}`, undefined],
  ['with a longer name', `xredrive-4400=${SECRET}`, undefined],
  ['of another length', `redrive-4400=${SECRET}q`, undefined],
  ['with anything in it', "redrive-4400=' or 1=1 --", undefined],
  ['taken away', 'redrive-4400=', undefined],
  ['missing', undefined, undefined],
])('a cookie %s', (_, header, secret) => {
  expect(readSessionCookie({ name: 'redrive-4400', secure: false }, header)).toBe(secret);
});

const asked = (headers: Record<string, string>, method = 'POST') => ({
  method,
  header: (name: string) => headers[name],
});

describe('a request that does something', () => {
  const own = { 'redrive-console': '1', origin: ORIGIN };

  test.each([
    ['without a body', {}],
    ['with JSON', { 'content-type': 'application/json' }],
    ['with JSON and a charset', { 'content-type': 'Application/JSON; charset=utf-8' }],
  ])('is the console’s own %s', (_, headers) => {
    expect(refusedWrite(asked({ ...own, ...headers }), ORIGIN)).toBeUndefined();
  });

  test.each<[string, Record<string, string>]>([
    ['without the header', { origin: ORIGIN }],
    ['with another header', { ...own, 'redrive-console': 'true' }],
    ['without an origin', { 'redrive-console': '1' }],
    ['from nowhere', { ...own, origin: 'null' }],
    ['from another origin', { ...own, origin: 'https://evil.example' }],
    ['from a name that begins alike', { ...own, origin: `${ORIGIN}.evil.example` }],
    ['from another port', { ...own, origin: `${ORIGIN}:8443` }],
    ['in plain text', { ...own, origin: 'http://redrive.example.com' }],
    ['as a form sends it', { ...own, 'content-type': 'application/x-www-form-urlencoded' }],
    ['as a form with files sends it', { ...own, 'content-type': 'multipart/form-data; boundary=x' }],
    ['as text', { ...own, 'content-type': 'text/plain;application/json' }],
    ['as something like JSON', { ...own, 'content-type': 'application/jsonp' }],
  ])('is refused %s', (_, headers) => {
    expect(refusedWrite(asked(headers), ORIGIN)).toMatchObject({ problem: 'cross_origin_refused' });
  });
});

test.each<[string, Record<string, string>, boolean]>([
  ['by code of the console', { 'redrive-console': '1' }, true],
  ['by a link of its own page', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-origin' }, true],
  ['by another page of its origin', { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' }, false],
  ['by a link of a foreign page', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site' }, false],
  ['by a page of another port', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-site' }, false],
  ['by an address that was typed', { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none' }, false],
  ['by who knows what', {}, false],
])('a request that reads %s', (_, headers, counts) => {
  expect(isRead(asked(headers, 'GET'))).toBe(counts);
});
