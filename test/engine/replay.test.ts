import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { createLogger } from '../../src/telemetry/log.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine, useTemporal } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok, okWith, slow, status } from '../support/receivers/receiver-behaviour.ts';

// Before anything else makes a runtime that tells of every worker.
installRuntime(createLogger({ level: 'silent' }));

const DIRECTORY = fileURLToPath(new URL('../fixtures/histories/', import.meta.url));

/** Everything that can be read in a history: keys, texts, and the content of its payloads. */
function textsIn(value: unknown, texts: string[] = []): string[] {
  if (typeof value === 'string') {
    texts.push(value);
    // JSON histories hold payloads as base64.
    if (/^[A-Za-z0-9+/]{4,}={0,2}$/.test(value)) texts.push(Buffer.from(value, 'base64').toString('utf8'));
  } else if (Array.isArray(value)) for (const item of value) textsIn(item, texts);
  else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value)) {
      texts.push(name);
      textsIn(member, texts);
    }
  return texts;
}

describe('the histories of runs that were recorded', () => {
  test('are replayed by the present workflow code without a difference', async () => {
    const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.json'));
    expect(files.length).toBeGreaterThanOrEqual(8);
    const histories = await Promise.all(
      files.map(async (name) => ({
        workflowId: name,
        history: historyFromJSON(JSON.parse(await readFile(`${DIRECTORY}${name}`, 'utf8'))),
      })),
    );
    const replayed: string[] = [];
    const codePath = process.env.REDRIVE_TEST_WORKFLOW_BUNDLE ?? '';
    for await (const result of Worker.runReplayHistories({ workflowBundle: { codePath } }, histories)) {
      expect([result.workflowId, result.error]).toEqual([result.workflowId, undefined]);
      replayed.push(result.workflowId);
    }
    expect(replayed.sort()).toEqual(files.sort());
  });

  test('hold ids, counts and words, and no address', async () => {
    for (const name of await readdir(DIRECTORY)) {
      const texts = textsIn(JSON.parse(await readFile(`${DIRECTORY}${name}`, 'utf8')));
      expect(texts.filter((text) => /https?:|127\.0\.0\.1|whsec_|rdk_/.test(text))).toEqual([]);
    }
  });
});

describe('the record of an operation in Temporal', () => {
  const CANARIES = {
    payload: 'canary-in-the-payload',
    header: 'canary-in-a-header',
    query: 'canary-in-the-query',
    key: 'canary-in-the-key',
    secret: `whsec_${Buffer.from('canary-in-the-secret-0000000').toString('base64')}`,
    answer: 'canary-in-the-answer',
    error: 'canary-in-an-error',
    reason: 'canary-in-the-reason',
    type: 'canary.in.the.type',
  };

  const temporal = useTemporal();
  const engine = useEngine();
  let it: Scene;

  beforeAll(async () => {
    it = await createScene(engine, [okWith(CANARIES.answer)], {
      headers: { 'x-canary': CANARIES.header },
      secret: CANARIES.secret,
    });
    await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${it.endpoints[0].id}`, {
      key: it.tenant.key,
      body: { url: it.receivers[0]?.url(`/hook?token=${CANARIES.query}`) },
    });
  });
  afterAll(async () => {
    await it.close();
  });

  test('is readable: what it is, whose, how far, and what comes next', async () => {
    it.receivers[0]?.switchTo(slow(400));
    await it.seed(200);
    const { id, workflowId } = await it.retries.start({ select: { filter: {} } });
    await eventually('it is under way', () => it.sent() > 10);
    await it.retries.control(id, 'pause');
    await eventually('it waits', async () => (await it.retries.show(id)).nextEvent.what === 'expiry');
    expect(workflowId).toMatch(new RegExp(`^retry/${it.tenant.handle}/[0-9a-f]{32}\\.[0-9a-f-]{36}$`));
    const handle = temporal.handle(workflowId);
    const run = await handle.describe();
    expect(await run.staticSummary()).toBe(`retry ${id}`);
    expect(await run.staticDetails()).toBe(
      `Operation \`${id}\` of tenant \`${it.tenant.handle}\`. Its items and counts are in Redrive: \`GET /api/v1/retries/${id}\`.`,
    );
    const attributes = async () =>
      Object.fromEntries(
        (await handle.describe()).typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
      );
    await eventually('it is shown as paused', async () => (await attributes()).RedriveState === 'paused');
    expect(await attributes()).toMatchObject({
      RedriveTenant: it.tenant.handle,
      RedriveKind: 'retry',
      RedriveOperation: id,
    });
    expect(await attributes()).not.toHaveProperty('RedriveHalt');
    type Definition = Record<string, { name: string; description?: string }[]>;
    const metadata = () =>
      handle.query<{ currentDetails: string; definition: Definition }>('__temporal_workflow_metadata');
    // Between two questions it may have looked again, and count down from there.
    await eventually('it shows the same in the UI and to its query', async () => {
      const { currentDetails } = await metadata();
      return (await handle.query<{ details: string } | null>('progress'))?.details === currentDetails;
    });
    expect(await handle.query('progress')).toMatchObject({
      state: 'paused',
      step: { do: 'wait', until: 'expiry' },
    });
    const { currentDetails, definition } = await metadata();
    const described = [...(definition.queryDefinitions ?? []), ...(definition.updateDefinitions ?? [])];
    for (const name of ['progress', 'control'])
      expect(described.find((each) => each.name === name)?.description).toMatch(/^.+\.$/);
    // As somebody sends it in the UI: the run looks, and goes on as it is asked to in Postgres.
    await handle.executeUpdate('control', { args: [{ revision: 0, control: 'run' }] });
    await eventually('it has looked', async () => {
      const seen = await handle.query<{ state: string } | null>('progress');
      return seen?.state === 'paused';
    });
    const { counts } = await it.retries.show(id);
    expect(counts.delivered).toBeLessThan(200);
    expect(currentDetails).toContain('**next:** wait for a human');
    expect(currentDetails).toContain('**rate:** no limit of its own');
    expect(currentDetails).toContain(`**unsent for:** \`${it.endpoints[0].id}\``);
    expect(currentDetails).toContain(`- delivered: ${counts.delivered}`);
    expect(currentDetails).toContain('- expected: 200');
    await it.retries.control(id, 'resume');
    await it.retries.ended(id);
    await handle.result();
    await eventually(
      'it is shown as completed',
      async () => (await attributes()).RedriveState === 'completed',
    );
  });

  test('says why a halted one waits, and is found by its id and by what halted it', async () => {
    it.receivers[0]?.switchTo(status(400));
    await it.seed(20);
    const { id, workflowId } = await it.retries.start({
      select: { filter: {} },
      reason: CANARIES.reason,
      ticket: CANARIES.reason,
      options: { canary: { count: 3, maxFailurePercent: 0 }, ratePerSecond: 50 },
    });
    await it.retries.reaches(id, ['halted']);
    const handle = temporal.handle(workflowId);
    const attributes = async () =>
      Object.fromEntries(
        (await handle.describe()).typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
      );
    await eventually('it is shown as halted', async () => (await attributes()).RedriveState === 'halted');
    expect(await attributes()).toMatchObject({ RedriveOperation: id, RedriveHalt: 'canary' });
    const found = async (query: string) => {
      const runs: string[] = [];
      for await (const run of temporal.client.workflow.list({ query })) runs.push(run.workflowId);
      return runs;
    };
    await eventually('it is found', async () =>
      (await found(`RedriveOperation = '${id}' and RedriveHalt = 'canary'`)).includes(workflowId),
    );
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain(
      `**halted:** canary at \`${it.endpoints[0].id}\`: 3 of 3 first attempts did not deliver, 0 % are allowed`,
    );
    expect(currentDetails).toContain('**rate:** 50 a second at most');
    it.receivers[0]?.switchTo(ok);
    await it.retries.control(id, 'resume');
    await it.retries.ended(id);
    await handle.result();
    await eventually('it is no longer shown as halted', async () => !('RedriveHalt' in (await attributes())));
    const texts = textsIn(JSON.parse(historyToJSON(await temporal.history(workflowId))));
    expect(texts.filter((text) => /canary-in/.test(text))).toEqual([]);
  });

  test('holds nothing of payloads, headers, secrets, addresses, keys, answers or errors', async () => {
    it.receivers[0]?.switchTo(okWith(CANARIES.answer));
    const before = (await it.ids(`state = 'delivered'`)).length;
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: CANARIES.type, source: 'canary-source', payload: { canary: CANARIES.payload } },
    });
    await eventually(
      'it is delivered',
      async () => (await it.ids(`state = 'delivered'`)).length === before + 1,
    );
    const uuid = uuidIn('tenant', it.tenant.id);
    // A step that fails with an error of Postgres which quotes a row.
    await engine.database.pool.query(
      `create function quote_row() returns trigger language plpgsql as $$ begin
        raise exception '${CANARIES.error} %', new using detail = '${CANARIES.error}';
       end $$;
       create trigger quote_row before update on operations for each row
        when (new.tenant_id = '${uuid}' and new.next_event = 'dispatch') execute function quote_row()`,
    );
    const answer = await it.retries.post(
      {
        select: { filter: { eventTypes: [CANARIES.type], state: ['delivered'] } },
        mode: 'replay',
        reason: CANARIES.reason,
      },
      CANARIES.key,
    );
    const { id, workflowId } = answer.body;
    const handle = temporal.handle(workflowId);
    // It is halted with the code of that error, and with nothing else of it.
    expect(await it.retries.reaches(id, ['halted'])).toMatchObject({
      halt: { reason: 'failed_step', code: 'P0001' },
    });
    const failing = await handle.describe();
    await engine.database.pool.query('drop trigger quote_row on operations');
    await it.retries.control(id, 'resume');
    await it.retries.ended(id);
    await handle.result();
    const texts = [
      ...textsIn(JSON.parse(historyToJSON(await temporal.history(workflowId)))),
      ...textsIn(JSON.parse(JSON.stringify([failing.raw, (await handle.describe()).raw]))),
    ];
    expect(texts.some((text) => text.includes('`P0001`'))).toBe(true);
    expect(texts.filter((text) => /canary/i.test(text))).toEqual([]);
    for (const secret of [it.tenant.key, engine.adminKey, CANARIES.secret])
      expect(texts.some((text) => text.includes(secret))).toBe(false);
    // Nor do the logs, which had all of it in their hands.
    expect(engine.log.filter((line) => /canary[-.](in|source)/i.test(line))).toEqual([]);
    expect(it.receivers[0]?.requests.at(-1)?.headers).toMatchObject({ 'x-canary': CANARIES.header });
  });
});
