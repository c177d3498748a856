import { afterEach, describe, expect, test } from '@jest/globals';
import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { Told, withTold } from '../../console/src/api/told.ts';

/** What a stream tells is put into the answers that screens read, whatever comes first. */

type Operation = Parameters<typeof withTold>[0];

let operations = 0;
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

const operation = (state: string, delivered: number, id = `op_${operations}`, facts = {}) =>
  ({
    ...{ id, state, control: 'run', etaSeconds: 10 - delivered, ...facts },
    counts: {
      ...{ expected: 10, queued: 10 - delivered, sending: 0, scheduled: 0, delivered, failed: 0, unknown: 0 },
      ...{ ignored: 0, cancelled: 0, superseded: 0, excluded: 0 },
    },
  }) as unknown as Operation;

const snapshot = (...told: Operation[]) => [
  { event: 'snapshot', id: 's', data: { operations: told, outages: [] } },
];
const changes = (...told: Operation[]) => [
  { event: 'changes', id: 'c', data: { operations: told, outages: [] } },
];
const outages = (...told: object[]) => [
  { event: 'changes', id: 'o', data: { operations: [], outages: told } },
];

/** A screen that shows an answer; how often it was asked for, and what it shows. */
function screen(queries: QueryClient, queryKey: string[], answer: () => unknown) {
  let asked = 0;
  const queryFn = async () => {
    asked += 1;
    return answer();
  };
  const observer = new QueryObserver(queries, { queryKey, queryFn, staleTime: 60_000 });
  open.push(observer.subscribe(() => {}));
  open.push(() => queries.clear());
  return {
    asked: () => asked,
    shows: () => observer.getCurrentResult().data as Operation | undefined,
    settled: () => queries.getQueryCache().find({ queryKey })?.promise,
  };
}

/** Lets what follows from an event happen. */
const soon = () => new Promise((resolve) => setImmediate(resolve));

describe('an operation', () => {
  test('moves with its numbers, without being asked for again', async () => {
    operations += 1;
    const queries = new QueryClient();
    const told = new Told(queries);
    const shown = screen(queries, ['operation', `op_${operations}`], () => operation('running', 1));
    await shown.settled();
    told.take(snapshot(operation('running', 1)));
    told.take(changes(operation('running', 5)));
    told.take(changes(operation('running', 4)));
    await soon();
    expect(shown.shows()?.counts.delivered).toBe(5);
    expect(shown.asked()).toBe(1);
  });

  test('is asked for again where something changed that the stream does not tell', async () => {
    operations += 1;
    const queries = new QueryClient();
    const told = new Told(queries);
    const shown = screen(queries, ['operation', `op_${operations}`], () => operation('running', 1));
    const lanes = screen(queries, ['operation-endpoints', `op_${operations}`], () => ({}));
    await shown.settled();
    told.take(snapshot(operation('running', 1)));
    told.take(changes(operation('running', 1)));
    await soon();
    expect(shown.asked()).toBe(2);
    told.take(changes(operation('paused', 2)));
    await soon();
    expect([shown.asked(), lanes.asked()]).toEqual([3, 3]);
  });

  test('keeps what was told while it was asked for the first time', async () => {
    operations += 1;
    const queries = new QueryClient();
    const told = new Told(queries);
    told.take(snapshot());
    let answer = (_: Operation) => {};
    const asked = new Promise<Operation>((resolve) => {
      answer = resolve;
    });
    const shown = screen(queries, ['operation', `op_${operations}`], async () => withTold(await asked));
    told.take(changes(operation('running', 7)));
    answer(operation('running', 3));
    await shown.settled();
    expect(shown.shows()?.counts.delivered).toBe(7);
    await soon();
    expect(shown.asked()).toBe(2);
  });

  test('that was read behind what was told stays as it was read', () => {
    operations += 1;
    new Told(new QueryClient()).take(snapshot(operation('running', 5)));
    expect(withTold(operation('paused', 5)).state).toBe('paused');
    expect(withTold(operation('running', 6)).counts.delivered).toBe(6);
    expect(withTold(operation('running', 4)).counts.delivered).toBe(5);
  });
});

test('behind a gap everything that is followed is asked for again, for what the snapshot may lack', async () => {
  operations += 1;
  const queries = new QueryClient();
  const told = new Told(queries);
  const shown = screen(queries, ['operation', 'op_gone'], () => operation('running', 1, 'op_gone'));
  const list = screen(queries, ['outages'], () => ({ items: [] }));
  await shown.settled();
  told.take(snapshot());
  await soon();
  expect(shown.asked()).toBe(1);
  const before = list.asked();
  told.take(snapshot());
  await soon();
  expect(shown.asked()).toBe(2);
  expect(list.asked()).toBe(before + 1);
});

test('outages are listed again where one has changed, and not because time passes', async () => {
  const queries = new QueryClient();
  const told = new Told(queries);
  const list = screen(queries, ['outages', 'all'], () => ({ items: [] }));
  const card = screen(queries, ['outage', 'out_1'], () => ({}));
  await list.settled();
  told.take(snapshot());
  const at = (state: string, to: string) => ({ id: 'out_1', state, window: { from: 'a', to } });
  told.take(outages(at('open', 'b')));
  await soon();
  const before = [list.asked(), card.asked()];
  told.take(outages(at('open', 'c')));
  await soon();
  expect([list.asked(), card.asked()]).toEqual(before);
  told.take(outages(at('recovered', 'd')));
  await soon();
  expect([list.asked(), card.asked()]).toEqual(before.map((times) => times + 1));
});
