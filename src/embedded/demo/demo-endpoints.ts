/** The endpoints of the demo, in the order they are shown. */
export const DEMO_HANDLES = ['warehouse', 'search', 'chat', 'reports', 'builds', 'deploys', 'audit'] as const;

/** Name of an endpoint of the demo, and the path it has at the receiver. */
export type DemoHandle = (typeof DEMO_HANDLES)[number];

/** The endpoint that is protected, whose outage is left to whoever opens the console. */
export const LEFT_TO_THE_CONSOLE: DemoHandle = 'deploys';

/** An endpoint as the demo asks the API for it, and its words about it. */
type DemoEndpoint = {
  /** The behaviour of its receiver during the outage. */
  outage: string;
  /** Its receiver has a port of its own, on which nothing listens during the outage. */
  ownPort?: true;
  /** Most of what it would have missed waits for it. The story of the others needs an outage in which all has failed. */
  protect?: true;
  eventTypes?: readonly string[];
  timeoutMs: number;
  /** Short waits, so that a delivery is given up within seconds and not within hours. */
  retry: { maxAttempts: number; initialMs: number; factor: number; capMs: number };
};

const ONCE_MORE = { maxAttempts: 2, initialMs: 250, factor: 1, capMs: 250 };

/** Seven customers of one tenant, six of whom have a bad night, each in another way. */
export const DEMO_ENDPOINTS: Readonly<Record<DemoHandle, DemoEndpoint>> = {
  warehouse: {
    outage: 'down: refuses connections',
    ownPort: true,
    timeoutMs: 5_000,
    retry: ONCE_MORE,
  },
  search: {
    outage: 'overloaded: answers 503',
    eventTypes: [
      'issues.*',
      'issue_comment.*',
      'pull_request.*',
      'discussion.*',
      'repository.*',
      'release.*',
      'label.*',
      'milestone.*',
      'project.*',
      'project_card.*',
      'project_column.*',
      'projects_v2_item.*',
      'package.*',
      'commit_comment.*',
      'deployment.*',
      'deployment_status.*',
      'code_scanning_alert.*',
      'dependabot_alert.*',
      'workflow_job.*',
      'marketplace_purchase.*',
      'sponsorship.*',
      'merge_group.*',
      'watch.*',
      'gollum',
    ],
    timeoutMs: 5_000,
    retry: ONCE_MORE,
  },
  chat: {
    outage: 'flaky: answers 500 to most',
    eventTypes: [
      'issue_comment.*',
      'pull_request.*',
      'pull_request_review.*',
      'pull_request_review_comment.*',
      'discussion_comment.*',
      'release.*',
      'star.*',
      'push',
      'fork',
    ],
    timeoutMs: 5_000,
    retry: ONCE_MORE,
  },
  reports: {
    outage: 'slow: no answer in time',
    eventTypes: ['pull_request.*', 'release.*', 'push', 'create', 'delete'],
    timeoutMs: 600,
    // Each attempt costs its whole time limit, and a slow endpoint gets few sockets: one has to do.
    retry: { ...ONCE_MORE, maxAttempts: 1 },
  },
  builds: {
    outage: 'busy: 429, Retry-After: 1',
    eventTypes: ['check_run.*', 'check_suite.*', 'workflow_run.*', 'status'],
    timeoutMs: 5_000,
    retry: ONCE_MORE,
  },
  deploys: {
    outage: 'down, and protected',
    ownPort: true,
    protect: true,
    eventTypes: [
      'branch_protection_rule.*',
      'check_run.*',
      'check_suite.*',
      'code_scanning_alert.*',
      'deployment.*',
      'deployment_status.*',
      'create',
      'delete',
      'push',
      'release.*',
    ],
    timeoutMs: 5_000,
    // A second attempt would wait for it, too: something has to be left to recover.
    retry: { ...ONCE_MORE, maxAttempts: 1 },
  },
  audit: {
    outage: 'healthy',
    eventTypes: [
      'organization.*',
      'org_block.*',
      'member.*',
      'membership.*',
      'team.*',
      'installation.*',
      'deploy_key.*',
      'branch_protection_rule.*',
      'security_advisory.*',
    ],
    timeoutMs: 5_000,
    retry: ONCE_MORE,
  },
};

/** Where an endpoint's receiver is: on the first port of the demo, or on the one behind it. */
export function demoUrl(handle: DemoHandle, port: number): string {
  return `http://127.0.0.1:${DEMO_ENDPOINTS[handle].ownPort ? port + 1 : port}/${handle}`;
}
