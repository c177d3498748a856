import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readCommandLine } from '../../cli/src/command/program.ts';
import { type PaceFlags, retryBody } from '../../cli/src/commands/retry/options.ts';
import { type SelectionFlags, selectionOf } from '../../cli/src/commands/retry/selection.ts';
import { planWords, redriveLine } from '../../console/src/screens/recover/command-line.ts';

/** The command lines that the console copies mean the requests that it would send itself. */

type Request = Parameters<typeof planWords>[0];

const text = fc.oneof(
  fc.string({ minLength: 1 }).filter((drawn) => drawn.trim() !== '' && !drawn.includes('\0')),
  fc.constantFrom("customer's", '$(id)', '-x', '--yes', 'a,b', 'two\nlines', '"', '\\', 'ü'),
);
const name = fc.stringMatching(/^[a-z0-9._-]{1,12}$/).map((drawn) => `n${drawn}`);
const time = fc
  .date({ min: new Date('2020-01-01'), max: new Date('2035-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const whole = fc.integer({ min: 1, max: 100_000 });
const percent = fc.integer({ min: 0, max: 100 });
const some = <Value>(values: fc.Arbitrary<Value>) => fc.array(values, { minLength: 1, maxLength: 3 });
const members = <Of>(model: { [Member in keyof Of]: fc.Arbitrary<Of[Member]> }) =>
  fc.record(model, { requiredKeys: [] });

const filter = members({
  state: some(fc.constantFrom('failed' as const, 'unknown' as const)),
  endpointIds: some(name),
  eventTypes: some(text),
  sources: some(text),
  faultCodes: some(fc.constantFrom('http_5xx' as const, 'timeout' as const)),
  httpStatus: some(fc.constantFrom(404, 503)),
  ingestionBatchIds: some(text),
  dispatchBatchIds: some(name),
  key: text,
  from: time,
  to: time,
  lastAttemptBefore: time,
  lastAttemptAfter: time,
  pendingLongerThanMs: whole,
  blocking: fc.constant(true),
});

const request = fc.record(
  {
    select: fc.oneof(
      filter.map((drawn) => ({ filter: drawn })),
      fc.uniqueArray(name, { minLength: 1, maxLength: 3 }).map((ids) => ({
        deliveryIds: ids.map((id) => `dlv_${id}`),
      })),
      name.map((outage) => ({ outage })),
      name.map((failuresOf) => ({ failuresOf })),
      name.map((remainderOf) => ({ remainderOf })),
    ),
    mode: fc.constantFrom('retry' as const, 'replay' as const),
    target: fc.constantFrom('current' as const, 'original' as const),
    newIdentity: fc.constant(true),
    options: members({
      ratePerSecond: fc.constantFrom(0.5, 50),
      maxConcurrency: whole,
      canary: fc.record({ count: whole, maxFailurePercent: percent }),
      ramp: fc.record({ startPerSecond: whole, everySeconds: fc.integer({ min: 1, max: 600 }) }),
      haltAtFailurePercent: fc.constantFrom(2.5, 50),
      notBefore: time,
      giveUpAfterMs: whole,
      disabledPatienceMs: whole,
      takeOverScheduled: fc.constant(true),
      includeResent: fc.constant(true),
      onAmbiguous: fc.constantFrom('resend' as const, 'probe' as const, 'hold' as const),
    }),
    reason: text,
    ticket: text,
  },
  { requiredKeys: ['select', 'mode', 'target'] },
) as fc.Arbitrary<Request>;

/** The words that a shell makes of a line. */
function wordsOf(line: string): string[] {
  const out = execFileSync('sh', ['-c', `redrive() { printf '%s\\0' "$@"; }\n${line}`], { encoding: 'utf8' });
  return out.split('\0').slice(0, -1);
}

async function meantBy(argv: readonly string[]): Promise<unknown> {
  const asked = await readCommandLine(argv, '0', { columns: undefined });
  if (!('run' in asked)) throw new Error(`no command: ${argv.join(' ')}`);
  return {
    select: selectionOf(asked.flags as SelectionFlags),
    ...retryBody(asked.flags as PaceFlags),
  };
}

test('the line of a draft has the same plan made', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (drawn) => {
      const { options = {}, ...others } = drawn;
      expect(await meantBy(planWords(drawn))).toEqual({
        ...others,
        ...(Object.keys(options).length > 0 ? { options } : {}),
      });
    }),
  );
});

test('a shell reads the words of a line as they were meant', () => {
  fc.assert(
    fc.property(request, (drawn) => {
      expect(wordsOf(redriveLine(planWords(drawn)))).toEqual(planWords(drawn));
    }),
    { numRuns: 30 },
  );
});
