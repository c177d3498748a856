import type { Command } from './command.ts';

/** What stands behind one word: a command, or a group of them, loaded only where that word was said. */
export interface Group {
  summary: string;
  load: () => Promise<readonly Command[]>;
}

/** The words of the command line, in the order of its help. */
export const GROUPS: Readonly<Record<string, Group>> = {
  auth: {
    summary: 'Sign in, and say which profile is used',
    load: async () => (await import('../commands/auth.ts')).AUTH,
  },
  status: {
    summary: 'Show how the service is, and what is under way',
    load: async () => (await import('../commands/status.ts')).STATUS,
  },
  failures: {
    summary: 'Show what failed, in groups',
    load: async () => (await import('../commands/failures.ts')).FAILURES,
  },
  deliveries: {
    summary: 'Look at deliveries, and settle those that nobody knows of',
    load: async () => (await import('../commands/deliveries.ts')).DELIVERIES,
  },
  events: {
    summary: 'Send events, and look at them',
    load: async () => (await import('../commands/events.ts')).EVENTS,
  },
  retry: {
    summary: 'Plan, run and steer the recovery of failed deliveries',
    load: async () => (await import('../commands/retry/retry.ts')).RETRY,
  },
  report: {
    summary: 'Verify a signed report offline',
    load: async () => (await import('../commands/report.ts')).REPORT,
  },
  outages: {
    summary: 'Look at outages of endpoints',
    load: async () => (await import('../commands/outages.ts')).OUTAGES,
  },
  endpoints: {
    summary: 'Make, change and try endpoints',
    load: async () => (await import('../commands/endpoints.ts')).ENDPOINTS,
  },
  import: {
    summary: 'Bring failures of another system along',
    load: async () => (await import('../commands/import/import.ts')).IMPORT,
  },
  imports: {
    summary: 'Look at imports, and at each line of them',
    load: async () => (await import('../commands/import/imports.ts')).IMPORTS,
  },
  listen: {
    summary: "Receive a tenant's new events on this machine",
    load: async () => (await import('../commands/listen.ts')).LISTEN,
  },
  stats: {
    summary: 'Count attempts and events over time',
    load: async () => (await import('../commands/stats.ts')).STATS,
  },
  search: {
    summary: 'Find anything by its id, key, handle or ticket',
    load: async () => (await import('../commands/search.ts')).SEARCH,
  },
  audit: {
    summary: 'Read and verify who did what',
    load: async () => (await import('../commands/audit.ts')).AUDIT,
  },
  policy: {
    summary: 'Show and set what may run by itself',
    load: async () => (await import('../commands/policy.ts')).POLICY,
  },
  limits: {
    summary: 'Show and set the ceilings of the installation',
    load: async () => (await import('../commands/policy.ts')).LIMITS,
  },
  tenants: {
    summary: 'Make and change tenants',
    load: async () => (await import('../commands/tenants.ts')).TENANTS,
  },
  keys: {
    summary: 'Make and revoke API keys',
    load: async () => (await import('../commands/keys.ts')).KEYS,
  },
  issuers: {
    summary: 'Register who issues tokens',
    load: async () => (await import('../commands/credentials.ts')).ISSUERS,
  },
  signers: {
    summary: 'Register signers of the ledger surface',
    load: async () => (await import('../commands/credentials.ts')).SIGNERS,
  },
  'access-rules': {
    summary: 'Say what signers may do',
    load: async () => (await import('../commands/credentials.ts')).ACCESS_RULES,
  },
  'signing-keys': {
    summary: 'Show and change the keys of reports',
    load: async () => (await import('../commands/credentials.ts')).SIGNING_KEYS,
  },
  api: {
    summary: 'Make any call of the API',
    load: async () => (await import('../commands/api.ts')).API,
  },
  completion: {
    summary: 'Print the completion for a shell',
    load: async () => (await import('../commands/completion.ts')).COMPLETION,
  },
};

/** All commands, for what is made of them: docs, completion and the checks of tests. */
export async function allCommands(): Promise<Command[]> {
  const commands: Command[] = [];
  for (const { load } of Object.values(GROUPS)) commands.push(...(await load()));
  return commands;
}
