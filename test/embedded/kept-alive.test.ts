import { expect, test } from '@jest/globals';
import { keepAlive, type MortalServer } from '../../src/embedded/kept-alive.ts';
import { eventually } from '../support/eventually.ts';

/** A server that dies when it is told to. */
function mortal() {
  let die: (how: string) => void = () => {};
  let stops = 0;
  const server: MortalServer = {
    ended: new Promise((resolve) => {
      die = resolve;
    }),
    stop: async () => {
      stops += 1;
      die('stopped');
    },
  };
  return { server, die: (how: string) => die(how), stops: () => stops };
}

function scene() {
  const clock = { ms: 0 };
  const servers = [mortal()];
  const first = servers[0] as ReturnType<typeof mortal>;
  const kept = keepAlive(
    first.server,
    async () => {
      const next = mortal();
      servers.push(next);
      return next.server;
    },
    () => clock.ms,
  );
  const dies = async (how = 'signal SIGKILL') => {
    const before = servers.length;
    servers.at(-1)?.die(how);
    await eventually('another one is started', () => servers.length > before);
  };
  return { clock, servers, kept, dies };
}

test('a server that dies three times in a minute is started again each time, and the fourth time no more', async () => {
  const { servers, kept, dies } = scene();
  for (let n = 0; n < 3; n += 1) await dies();
  servers.at(-1)?.die('exit code 1');
  expect(await kept.broken).toBe('exit code 1');
  expect(servers).toHaveLength(4);
});

test('deaths that are a minute old are forgotten', async () => {
  const { clock, servers, dies } = scene();
  for (let n = 0; n < 6; n += 1) {
    await dies();
    clock.ms += 25_000;
  }
  expect(servers).toHaveLength(7);
});

test('a server that does not start again is given up, with the reason', async () => {
  const { server, die } = mortal();
  const kept = keepAlive(server, () => Promise.reject(new Error('the port is taken')));
  die('signal SIGKILL');
  expect(await kept.broken).toBe('signal SIGKILL, and did not start again: the port is taken');
});

test('a server that is stopped is not started again, and one that is being started is stopped', async () => {
  const { servers, kept } = scene();
  await kept.stop();
  expect(servers).toHaveLength(1);

  const [first, second] = [mortal(), mortal()];
  let started = (_: MortalServer) => {};
  let asked = false;
  const other = keepAlive(first.server, () => {
    asked = true;
    return new Promise((resolve) => {
      started = resolve;
    });
  });
  first.die('signal SIGKILL');
  await eventually('it is being started', () => asked);
  const stopped = other.stop();
  started(second.server);
  await stopped;
  expect(second.stops()).toBe(1);
});
