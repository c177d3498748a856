import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { cacheDirectory } from '../../../src/embedded/temporal/temporal-binary.ts';

const run = promisify(execFile);

/** The release whose go.mod has no `replace`, which `go install` would refuse. */
const HELM_VERSION = '3.22.0';

const CHART = 'deploy/helm/redrive';

/** A Helm that `go install` has built takes a cluster for one of version 1.20 where nobody says otherwise. */
const CLUSTER = ['--kube-version', '1.33.0'];

/** An object of Kubernetes as it was rendered. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects and fails where it is not there
  spec?: any;
  data?: Record<string, string>;
  automountServiceAccountToken?: boolean;
}

/** Helm over the chart of this repository. */
export interface Helm {
  lint(values?: string): Promise<string>;
  /** What an installation named `redrive` into the namespace `events` would make. */
  template(values?: string, ...sets: string[]): Promise<Manifest[]>;
}

/** Builds Helm, or takes the one that was built before: it is kept beside the Temporal server. */
export async function helmBuiltBy(go: string): Promise<Helm> {
  const program = await helmProgram(go);
  const helm = async (...args: string[]) =>
    (await run(program, args, { maxBuffer: 32 * 1024 * 1024 })).stdout;
  const valuesOf = (values?: string) => (values === undefined ? [] : ['--values', `${CHART}/ci/${values}`]);
  return {
    lint: (values) => helm('lint', '--strict', CHART, ...CLUSTER, ...valuesOf(values)),
    async template(values, ...sets) {
      const text = await helm(
        ...['template', 'redrive', CHART, '--namespace', 'events', ...CLUSTER, ...valuesOf(values)],
        ...sets.flatMap((set) => ['--set-json', set]),
      );
      return parseAllDocuments(text)
        .map((document) => document.toJS() as Manifest | null)
        .filter((manifest) => manifest !== null);
    },
  };
}

async function helmProgram(go: string): Promise<string> {
  const cache = cacheDirectory(process.env);
  const program = join(cache, `helm-${HELM_VERSION}`);
  const there = await access(program).then(
    () => true,
    () => false,
  );
  if (there) return program;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'fetching-'));
  try {
    const env = { ...process.env, GOBIN: work, GOFLAGS: '-mod=mod' };
    await run(go, ['install', `helm.sh/helm/v3/cmd/helm@v${HELM_VERSION}`], { env });
    // Within one directory, hence atomic: a second run at the same time sees no half of a program.
    await rename(join(work, 'helm'), program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}
