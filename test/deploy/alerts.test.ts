import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { ALERTS } from '../../deploy/observability/alerts.ts';
import { describeWith } from '../support/deploy/describe-with.ts';
import { PROMTOOL } from '../support/deploy/programs.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';
import { ALERT_CASES, type Fires } from './alert-cases.ts';

const RULES = resolve('deploy/helm/redrive/rules/alerts.yaml');
const HEADINGS = ['## Symptom', '## Look at', '## Do', '## Verify'];

test('every alert has a case that fires and one that does not, and no case is of no alert', () => {
  expect(Object.keys(ALERT_CASES).sort()).toEqual(ALERTS.map(({ name }) => name).sort());
  expect(ALERTS).toHaveLength(16);
});

test.each(ALERTS)(
  'the runbook of $name has its four headings, each with something below it',
  async (alert) => {
    const text = await readFile(join('docs/runbooks', alert.runbook), 'utf8');
    expect(text).toContain(`Alert: \`${alert.name}\`.`);
    expect(text.match(/^## .+$/gm)).toEqual(HEADINGS);
    for (const below of text.split(/^## .+$/m).slice(1)) expect(below.trim().length).toBeGreaterThan(40);
  },
);

test('the index of the runbooks names each of them once, with the severity of its alert', async () => {
  const index = await readFile('docs/runbooks/README.md', 'utf8');
  const rows = [...index.matchAll(/^\| `(\w+)` \| (\w+) \| \[[^\]]+\]\(([^)]+)\) \|$/gm)].map((row) =>
    row.slice(1),
  );
  const alerts = ALERTS.map(({ name, severity, runbook }) => [name, severity, runbook]);
  expect(rows).toEqual(expect.arrayContaining(alerts));
  const pages = (await readdir('docs/runbooks')).filter((name) => name !== 'README.md');
  expect(pages).toEqual(expect.arrayContaining(ALERTS.map(({ runbook }) => runbook)));
});

describeWith(PROMTOOL, 'promtool', (promtool) => {
  test('takes the rules', async () => {
    const { stdout } = await promisify(execFile)(promtool, ['check', 'rules', RULES]);
    expect(stdout).toContain(`SUCCESS: ${ALERTS.length} rules found`);
  });

  test.each(ALERTS)(
    '$name fires where it should, and only there',
    async ({ name, severity, summary, runbook }) => {
      const alertCase = ALERT_CASES[name];
      if (!alertCase) throw new Error('no case');
      const firing = (labels: Fires['labels']) => ({
        exp_labels: { ...labels, severity },
        exp_annotations: { summary, runbook: `docs/runbooks/${runbook}` },
      });
      const firingCases = [alertCase.fires].flat() as readonly Fires[];
      await inTemporaryDirectory(async (directory) => {
        const file = join(directory, 'rules.test.yaml');
        const caseOf = ({ series, at }: Pick<Fires, 'series' | 'at'>, expected: object[]) => ({
          interval: '1m',
          input_series: Object.entries(series).map(([each, values]) => ({ series: each, values })),
          alert_rule_test: [{ eval_time: at, alertname: name, exp_alerts: expected }],
        });
        const tests = [
          ...firingCases.map((each) => caseOf(each, [firing(each.labels)])),
          caseOf(alertCase.quiet, []),
        ];
        await writeFile(file, stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }));
        await promisify(execFile)(promtool, ['test', 'rules', file]);
      });
    },
  );

  test('an alert that no longer fires would be found', async () => {
    await inTemporaryDirectory(async (directory) => {
      const file = join(directory, 'rules.test.yaml');
      const tests = [
        {
          interval: '1m',
          input_series: [{ series: 'redrive_operations{state="halted"}', values: '0x10' }],
          alert_rule_test: [
            { eval_time: '5m', alertname: 'RedriveOperationHalted', exp_alerts: [{ exp_labels: {} }] },
          ],
        },
      ];
      await writeFile(file, stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }));
      await expect(promisify(execFile)(promtool, ['test', 'rules', file])).rejects.toThrow('FAILED');
    });
  });
});
