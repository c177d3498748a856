import { Buffer } from 'node:buffer';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** A variable of the environment: its meaning, and the values that it may hold. */
export type EnvironmentVariable<Value> = {
  description: string;
  /** Stands for a variable that is missing or empty; without it there is no value. */
  default?: string;
  /** Secret values are shown nowhere. */
  secret: boolean;
  /** Tells a person what to write instead of a wrong value. */
  expected: string;
  schema: z.ZodType<Value, string>;
};

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** How much is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];

const KEY_BYTES = 32;

const networks = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )
  .refine((listed) => listed.every((network) => ipaddr.isValidCIDR(network)));

const masterKey = z
  .string()
  .transform(decodeKey)
  .refine((key) => key.length === KEY_BYTES);

/** All variables that Redrive reads; `.env.example` and the documentation are made from them. */
export const ENVIRONMENT = {
  REDRIVE_PORT: {
    description: 'The port of the API and the console.',
    default: '4400',
    secret: false,
    expected: 'use a port number from 0 to 65535, where 0 takes any free one',
    schema: z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number)
      .refine((port) => port <= 65_535),
  },
  REDRIVE_HOST: {
    description: 'The address to listen on; 0.0.0.0 for all of the machine.',
    default: '127.0.0.1',
    secret: false,
    expected: 'use an address of this machine or a host name, such as 127.0.0.1 or 0.0.0.0',
    schema: z.string().regex(/^[\w.:-]+$/),
  },
  REDRIVE_METRICS_PORT: {
    description:
      "A second port of the same address, for an operator's tools: /healthz, /readyz and /metrics without a credential. It is the only port of a worker; where it is left out there is none.",
    secret: false,
    expected: 'use a port number from 0 to 65535 that is not that of the API, where 0 takes any free one',
    schema: z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number)
      .refine((port) => port <= 65_535),
  },
  REDRIVE_DATA_DIR: {
    description: 'Where the embedded Postgres and Temporal keep their data; two copies need two directories.',
    default: '.redrive',
    secret: false,
    expected: 'use the path of a directory',
    schema: z.string().refine((path) => !path.includes('\0')),
  },
  REDRIVE_DEMO: {
    description: 'Whether an empty database gets the demo: 1 or 0.',
    default: '1',
    secret: false,
    expected: 'use 1 to load the demo into an empty database, or 0 not to',
    schema: z
      .string()
      .regex(/^[01]$/)
      .transform((text) => text === '1'),
  },
  REDRIVE_ADMIN_KEY: {
    description: 'The API key of the administrator; made and shown once when it is left out.',
    secret: true,
    expected: 'use at least 24 letters, digits, dashes and underscores, or leave it out to have one made',
    schema: z.string().regex(/^[\w-]{24,}$/),
  },
  REDRIVE_OTHER_ADMIN_KEY: {
    description:
      'A second key of the administrator that works beside REDRIVE_ADMIN_KEY: the next one, or the one before, while keys are rotated. Ignored without REDRIVE_ADMIN_KEY.',
    secret: true,
    expected: 'use at least 24 letters, digits, dashes and underscores, or leave it out',
    schema: z.string().regex(/^[\w-]{24,}$/),
  },
  REDRIVE_ALLOWED_NETWORKS: {
    description:
      'Networks that deliveries may reach although they are private, as CIDRs with commas between them. Where it is left out there are none, save 127.0.0.0/8 and ::1 for the demo: role all, REDRIVE_DEMO=1 and REDRIVE_HOST a loopback address.',
    default: '',
    secret: false,
    expected: 'use networks with their prefix lengths and commas between them, such as 10.20.0.0/16,fd00::/8',
    schema: networks,
  },
  REDRIVE_EGRESS_PROXY: {
    description:
      'The proxy by which requests to endpoints, and to the key sets of issuers, leave: an http or https address, with user and password where it asks for them. It is asked by CONNECT for addresses that were checked before, never for names, also for http endpoints and for addresses in REDRIVE_ALLOWED_NETWORKS.',
    secret: true,
    expected: 'use an http or https address without a path, such as http://proxy.internal:3128',
    schema: z.string().refine(isProxyAddress),
  },
  REDRIVE_PUBLIC_URL: {
    description:
      'The address that browsers know the service by, such as https://redrive.example.com: one signs in to the console there and nowhere else, by https, or by http on this machine alone. Where it is left out it is the address that REDRIVE_HOST and REDRIVE_PORT make, if that is a loopback address.',
    secret: false,
    expected: 'use an http or https address without a path, such as https://redrive.example.com',
    schema: z
      .string()
      .transform(originOf)
      .refine((origin) => origin !== ''),
  },
  REDRIVE_TEMPORAL_UI_URL: {
    description:
      'The address of the Temporal UI, such as https://temporal.example.com: the console leads from an operation to its workflow there. Who may read deliveries sees this address. Where it is left out it is that of the embedded Temporal server, if that is used.',
    secret: false,
    expected: 'use an http or https address without parameters, such as https://temporal.example.com',
    schema: z
      .string()
      .transform(pageAddressOf)
      .refine((address) => address !== ''),
  },
  REDRIVE_TRUSTED_PROXIES: {
    description:
      'Networks of the proxies before the API, as CIDRs with commas between them. From them alone the header X-Forwarded-For is read: requests that fail authentication are limited by the address they come from; behind a proxy that is not named here this is the address of the proxy.',
    default: '',
    secret: false,
    expected: 'use networks with their prefix lengths and commas between them, such as 10.20.0.0/16,fd00::/8',
    schema: networks,
  },
  REDRIVE_MASTER_KEY: {
    description:
      'Encrypts endpoint secrets in the database: 32 bytes as base64 or hex. Required with DATABASE_URL, save by the role migrate; made in the data directory otherwise.',
    secret: true,
    expected: 'use 32 random bytes as base64 or hex, such as `openssl rand -base64 32` prints',
    schema: masterKey,
  },
  REDRIVE_OTHER_MASTER_KEY: {
    description:
      'A second master key while keys are rotated: the next one, or the one before. What it has sealed is opened, nothing is sealed with it, and where it is the one before, everything is sealed anew under REDRIVE_MASTER_KEY.',
    secret: true,
    expected: 'use 32 random bytes as base64 or hex, or leave it out',
    schema: masterKey,
  },
  REDRIVE_TEMPORAL_CLI: {
    description:
      'The `temporal` program to start the embedded server with; found or fetched when it is left out.',
    secret: false,
    expected: 'use the path of the temporal command line program',
    schema: z.string(),
  },
  REDRIVE_LOG_LEVEL: {
    description: `How much is logged: ${LOG_LEVELS.join(', ')}.`,
    default: 'info',
    secret: false,
    expected: `use one of ${LOG_LEVELS.join(', ')}`,
    schema: z.string().pipe(z.enum(LOG_LEVELS)),
  },
  REDRIVE_TASK_QUEUE_PREFIX: {
    description:
      'Beginning of the names of the Temporal task queues; two installations on one namespace need two.',
    default: 'redrive',
    secret: false,
    expected: 'use at most 64 letters, digits, dashes and underscores',
    schema: z.string().regex(/^[\w-]{1,64}$/),
  },
  DATABASE_URL: {
    description: 'A Postgres 16 or newer to use in place of the embedded one.',
    secret: true,
    expected: 'use a URL such as postgres://user:password@host:5432/redrive',
    schema: z.string().refine((text) => /^postgres(ql)?:$/.test(protocolOf(text))),
  },
  TEMPORAL_ADDRESS: {
    description:
      'A Temporal server to use in place of the embedded one; namespace, TLS and API key as for every Temporal SDK (TEMPORAL_NAMESPACE, TEMPORAL_TLS, TEMPORAL_API_KEY, …).',
    secret: false,
    expected: 'use host:port, such as temporal.internal:7233',
    schema: z.string().regex(/^(https?:\/\/)?[\w.[\]:-]+:\d{1,5}$/),
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    description:
      'The collector that traces of some calls go to, by OTLP over HTTP; nothing is traced without it. OTEL_EXPORTER_OTLP_HEADERS and the other variables of that exporter count, too.',
    secret: false,
    expected: 'use the address of a collector, such as http://collector:4318',
    schema: z
      .string()
      .transform(pageAddressOf)
      .refine((address) => address !== ''),
  },
  OTEL_TRACES_SAMPLER_ARG: {
    description: 'The part of the calls, and of the attempts of a traced operation, that is traced.',
    default: '0.01',
    secret: false,
    expected: 'use a number from 0 to 1',
    schema: z
      .string()
      .regex(/^(0?\.\d{1,9}|[01](\.0{0,9})?)$/)
      .transform(Number),
  },
} as const satisfies Record<string, EnvironmentVariable<unknown>>;

function decodeKey(text: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
}

/** The origin that an address stands for; nothing where it says more than that, which nobody would heed. */
function originOf(text: string): string {
  try {
    const { protocol, origin, href } = new URL(text);
    return /^https?:$/.test(protocol) && href === `${origin}/` ? origin : '';
  } catch {
    return '';
  }
}

/** An address to which paths are added; empty where it is none. */
function pageAddressOf(text: string): string {
  try {
    const { protocol, search, hash, username, password, href } = new URL(text);
    const plain = search === '' && hash === '' && username === '' && password === '';
    return /^https?:$/.test(protocol) && plain ? href.replace(/\/+$/, '') : '';
  } catch {
    return '';
  }
}

/** Whether a text is the address of a proxy, and says no more than that. */
function isProxyAddress(text: string): boolean {
  try {
    const { protocol, pathname, search, hash, username, password } = new URL(text);
    // A user or password that cannot be decoded would end the start with an exception.
    decodeURIComponent(username + password);
    return /^https?:$/.test(protocol) && pathname === '/' && search === '' && hash === '';
  } catch {
    return false;
  }
}

function protocolOf(text: string): string {
  try {
    return new URL(text).protocol;
  } catch {
    return '';
  }
}
