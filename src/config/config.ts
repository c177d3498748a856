import { resolve } from 'node:path';
import { allowedNetworks, type Role } from './demo-profile.ts';
import { ENVIRONMENT, type EnvironmentVariable, type LogLevel } from './environment.ts';

/** Everything that the environment decides, read once. */
export type Config = {
  port: number;
  host: string;
  /** The port of the pages for an operator's tools; none where it is absent. */
  metricsPort?: number | undefined;
  /** Absolute; holds the data of the embedded parts. */
  dataDir: string;
  /** Only with the role `all`. */
  demo: boolean;
  adminKey?: string | undefined;
  /** A second admin key that works, too: keys are rotated. */
  otherAdminKey?: string | undefined;
  /** URL of the proxy that requests to endpoints and to issuers' key sets leave by. */
  egressProxy?: string | undefined;
  /** CIDRs that the guard against requests to internal addresses lets through. */
  allowedNetworks: readonly string[];
  /** The origin that browsers know the service by; absent where it is simply the address that it listens on. */
  publicOrigin?: string | undefined;
  /** Where the Temporal UI is. */
  temporalUiUrl?: string | undefined;
  /** CIDRs of the proxies whose word is taken for where a request comes from. */
  trustedProxies: readonly string[];
  /** 32 bytes; made in the data directory when it is left out and Postgres is embedded. */
  masterKey?: Buffer | undefined;
  /** A second master key, whose values are opened, too: keys are rotated. */
  otherMasterKey?: Buffer | undefined;
  /** The program to start the embedded Temporal with; looked for when it is left out. */
  temporalCli?: string | undefined;
  logLevel: LogLevel;
  /** Where some calls are traced to; absent where none is. */
  traces?: TracesConfig | undefined;
  databaseUrl?: string | undefined;
  temporalAddress?: string | undefined;
  taskQueuePrefix: string;
};

/** A collector of traces, and the part of the calls that it is told of. */
export interface TracesConfig {
  endpoint: string;
  ratio: number;
}

type Name = keyof typeof ENVIRONMENT;

/** A config, or one sentence for each thing that a person has to put right. */
export type ConfigResult = { ok: true; config: Config } | { ok: false; problems: string[] };

/** The one reading of the environment. */
export function loadConfig(env: NodeJS.ProcessEnv, role: Role = 'all'): ConfigResult {
  const problems: string[] = [];
  const optional = <Value>(name: Name, variable: EnvironmentVariable<Value>): Value | undefined => {
    const { value, problem } = readVariable(env, name, variable);
    if (problem !== undefined) problems.push(problem);
    return value;
  };
  // Without a value there is a problem, and with a problem there is no config.
  const required = <Value>(name: Name, variable: EnvironmentVariable<Value> & { default: string }): Value =>
    optional(name, variable) as Value;
  const host = required('REDRIVE_HOST', ENVIRONMENT.REDRIVE_HOST);
  const demo = required('REDRIVE_DEMO', ENVIRONMENT.REDRIVE_DEMO) && role === 'all';
  const networks = required('REDRIVE_ALLOWED_NETWORKS', ENVIRONMENT.REDRIVE_ALLOWED_NETWORKS) ?? [];
  const collector = optional('OTEL_EXPORTER_OTLP_ENDPOINT', ENVIRONMENT.OTEL_EXPORTER_OTLP_ENDPOINT);
  const ratio = required('OTEL_TRACES_SAMPLER_ARG', ENVIRONMENT.OTEL_TRACES_SAMPLER_ARG);
  const config: Config = {
    port: required('REDRIVE_PORT', ENVIRONMENT.REDRIVE_PORT),
    host,
    metricsPort: optional('REDRIVE_METRICS_PORT', ENVIRONMENT.REDRIVE_METRICS_PORT),
    dataDir: resolve(required('REDRIVE_DATA_DIR', ENVIRONMENT.REDRIVE_DATA_DIR) ?? ''),
    demo,
    adminKey: optional('REDRIVE_ADMIN_KEY', ENVIRONMENT.REDRIVE_ADMIN_KEY),
    otherAdminKey: optional('REDRIVE_OTHER_ADMIN_KEY', ENVIRONMENT.REDRIVE_OTHER_ADMIN_KEY),
    allowedNetworks: allowedNetworks(networks, { demo, host: host ?? '' }),
    egressProxy: optional('REDRIVE_EGRESS_PROXY', ENVIRONMENT.REDRIVE_EGRESS_PROXY),
    publicOrigin: optional('REDRIVE_PUBLIC_URL', ENVIRONMENT.REDRIVE_PUBLIC_URL),
    temporalUiUrl: optional('REDRIVE_TEMPORAL_UI_URL', ENVIRONMENT.REDRIVE_TEMPORAL_UI_URL),
    trustedProxies: required('REDRIVE_TRUSTED_PROXIES', ENVIRONMENT.REDRIVE_TRUSTED_PROXIES) ?? [],
    masterKey: optional('REDRIVE_MASTER_KEY', ENVIRONMENT.REDRIVE_MASTER_KEY),
    otherMasterKey: optional('REDRIVE_OTHER_MASTER_KEY', ENVIRONMENT.REDRIVE_OTHER_MASTER_KEY),
    temporalCli: optional('REDRIVE_TEMPORAL_CLI', ENVIRONMENT.REDRIVE_TEMPORAL_CLI),
    logLevel: required('REDRIVE_LOG_LEVEL', ENVIRONMENT.REDRIVE_LOG_LEVEL),
    traces: collector === undefined ? undefined : { endpoint: collector, ratio },
    databaseUrl: optional('DATABASE_URL', ENVIRONMENT.DATABASE_URL),
    temporalAddress: optional('TEMPORAL_ADDRESS', ENVIRONMENT.TEMPORAL_ADDRESS),
    taskQueuePrefix: required('REDRIVE_TASK_QUEUE_PREFIX', ENVIRONMENT.REDRIVE_TASK_QUEUE_PREFIX),
  };
  // A migration opens no secret.
  if (role !== 'migrate' && present(env, 'DATABASE_URL') && !present(env, 'REDRIVE_MASTER_KEY')) {
    problems.push(
      'REDRIVE_MASTER_KEY is not set although DATABASE_URL is: set it to 32 random bytes, such as `openssl rand -base64 32` prints, and keep it, since the secrets in that database can be read by no other key.',
    );
  }
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

function readVariable<Value>(
  env: NodeJS.ProcessEnv,
  name: Name,
  variable: EnvironmentVariable<Value>,
): { value?: Value; problem?: string } {
  const text = present(env, name) ? env[name] : variable.default;
  if (text === undefined) return {};
  const parsed = variable.schema.safeParse(text);
  if (parsed.success) return { value: parsed.data };
  // A secret is never repeated, not even a wrong one.
  const what = variable.secret ? `${name} is not valid` : `${name} is "${text}"`;
  return { problem: `${what}: ${variable.expected}.` };
}

/** An empty variable counts as none, as in a compose file that passes on a variable that may not be there. */
function present(env: NodeJS.ProcessEnv, name: string): boolean {
  return env[name] !== undefined && env[name] !== '';
}
