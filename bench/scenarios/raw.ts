import type { Figures } from '../figures.ts';
import type { Bench, Case } from '../scenario.ts';

interface RawCase {
  how: 'request' | 'dispatch';
  behaviour?: 'ok' | 'slow30';
  connections?: number;
  count: number;
  bytes?: number;
}

/** One Node process that signs and POSTs by undici and does nothing else: the limit of this machine. */
export function rawCases({ size }: Bench): Case[] {
  const one = (name: string, raw: RawCase): Case => ({ name, measure: (bench) => send(bench, raw) });
  const [count, large, slow] = [size(50_000, { least: 5_000 }), size(10_000, { least: 1_000 }), size(15_000)];
  return [
    one('raw request', { how: 'request', count }),
    one('raw dispatch', { how: 'dispatch', count }),
    one('raw request, 64 KiB', { how: 'request', count: large, bytes: 65_536 }),
    one('raw dispatch, 64 KiB', { how: 'dispatch', count: large, bytes: 65_536 }),
    one('raw request, answers after 30 ms, 64 connections', {
      how: 'request',
      behaviour: 'slow30',
      count: slow,
    }),
    one('raw request, answers after 30 ms, 512 connections', {
      how: 'request',
      behaviour: 'slow30',
      connections: 512,
      count: slow,
    }),
  ];
}

async function send({ rig }: Bench, raw: RawCase): Promise<Figures> {
  const { how, behaviour = 'ok', connections = 64, count, bytes = 1_024 } = raw;
  await rig.receiver.forget();
  const figures = await rig.script<Figures>('raw-sender.ts', [
    rig.receiver.urlOf(`/${behaviour}/raw`),
    how,
    connections,
    count,
    bytes,
  ]);
  const { distinct, twice } = await rig.receiver.ledger();
  if (distinct < count || twice > 0)
    throw new Error(`the receiver had ${distinct} of ${count}, ${twice} twice`);
  return figures;
}
