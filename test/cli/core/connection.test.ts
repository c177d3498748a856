import { describe, expect, test } from '@jest/globals';
import { type ConnectionInput, connectionOf, originOf } from '../../../cli/src/core/connection.ts';

const config = {
  current: 'prod',
  profiles: {
    prod: { url: 'https://redrive.example', key: 'key-of-prod', tenant: 'acme' },
    lab: { url: 'http://lab.internal:4400', key: 'key-of-lab', insecureHttp: true },
  },
};

const connect = (input: Partial<ConnectionInput>) => {
  try {
    return connectionOf({ env: {}, flags: {}, config, ...input });
  } catch (error) {
    return { exit: (error as { exit: string }).exit };
  }
};

describe('a connection', () => {
  test('is that of the current profile, of another one, or of the environment', () => {
    expect(connect({})).toEqual({
      origin: 'https://redrive.example',
      key: 'key-of-prod',
      tenant: 'acme',
      profile: 'prod',
    });
    expect(connect({ flags: { profile: 'lab' } })).toMatchObject({ key: 'key-of-lab' });
    expect(connect({ env: { REDRIVE_PROFILE: 'lab' } })).toMatchObject({ key: 'key-of-lab' });
    expect(connect({ env: { REDRIVE_KEY: 'own', REDRIVE_URL: 'https://other.example' } })).toEqual({
      origin: 'https://other.example',
      key: 'own',
      tenant: undefined,
      profile: undefined,
    });
    expect(connect({ env: { REDRIVE_KEY: 'own' } })).toMatchObject({
      origin: 'https://redrive.example',
      key: 'own',
    });
    expect(connect({ flags: { tenant: 'other' } })).toMatchObject({ tenant: 'other' });
  });

  test('never takes the key of a profile to another origin', () => {
    for (const REDRIVE_URL of [
      'https://evil.example',
      'http://redrive.example',
      'https://redrive.example:8443',
      'https://redrive.example.evil.example',
    ])
      expect(connect({ env: { REDRIVE_URL } })).toEqual({ exit: 'credentials' });
    expect(connect({ env: { REDRIVE_URL: 'https://REDRIVE.example:443/' } })).toMatchObject({
      key: 'key-of-prod',
    });
  });

  test('needs a key, and a profile that was named has to be there', () => {
    expect(connect({ config: { profiles: {} } })).toEqual({ exit: 'credentials' });
    expect(connect({ flags: { profile: 'gone' } })).toEqual({ exit: 'credentials' });
    expect(connect({ flags: { profile: 'constructor' } })).toEqual({ exit: 'credentials' });
  });

  test('goes by plain http on this machine, and elsewhere only where that was said', () => {
    const env = { REDRIVE_KEY: 'own' };
    for (const url of [
      'http://127.0.0.1:4400',
      'http://localhost:4400',
      'http://[::1]:4400',
      'http://127.9.9.9',
    ])
      expect(connect({ env: { ...env, REDRIVE_URL: url } })).toMatchObject({ key: 'own' });
    for (const url of [
      'http://redrive.example',
      'http://localhost.evil.example',
      'http://10.0.0.1',
      'http://0.0.0.0',
    ]) {
      expect(connect({ env: { ...env, REDRIVE_URL: url } })).toEqual({ exit: 'usage' });
      expect(connect({ env: { ...env, REDRIVE_URL: url }, flags: { insecureHttp: true } })).toMatchObject({
        key: 'own',
      });
    }
    // What a profile was made with counts for its own address alone.
    const env2 = { ...env, REDRIVE_PROFILE: 'lab', REDRIVE_URL: 'http://other.internal' };
    expect(connect({ env: env2 })).toEqual({ exit: 'usage' });
  });
});

test.each([
  'redrive.example',
  'ftp://redrive.example',
  'https://user:secret@redrive.example',
  'https://redrive.example/api',
  'https://redrive.example?key=1',
  '',
])('"%s" is no address of a server', (text) => expect(() => originOf(text)).toThrow());
