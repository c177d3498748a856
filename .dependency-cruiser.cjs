/** The direction rules of the house: who may import whom. */

/** What each part may import of ours; `types` only as types. A part that is not listed may import all. */
const MAY_IMPORT = {
  domain: { values: [], types: [] },
  config: { values: ['domain'], types: [] },
  loops: { values: [], types: ['store'] },
  sealing: { values: ['domain'], types: [] },
  telemetry: { values: ['domain'], types: ['config'] },
  store: { values: ['domain'], types: ['config'] },
  workflows: { values: ['domain'], types: ['activities'] },
  temporal: { values: ['domain', 'telemetry'], types: ['config', 'workflows', 'activities'] },
  outbound: { values: ['domain', 'telemetry'], types: ['config'] },
  // The slice claims and records through the verbs of the store.
  sending: {
    values: ['domain', 'loops', 'sealing', 'outbound', 'store', 'telemetry'],
    types: ['config'],
  },
  ingest: { values: ['domain', 'store', 'telemetry'], types: ['config', 'loops'] },
  // The steps that close an operation with a signed report, and what is told of it later.
  proof: {
    values: ['domain', 'sealing', 'store', 'telemetry'],
    types: ['loops'],
  },
  // The loops of an operation send by slices.
  operations: {
    values: ['domain', 'loops', 'sending', 'proof', 'store', 'temporal', 'telemetry'],
    types: ['config'],
  },
  activities: {
    values: ['domain', 'loops', 'store', 'sending', 'operations', 'telemetry'],
    types: ['config'],
  },
  api: {
    values: [
      'domain',
      'config',
      'loops',
      'sealing',
      'store',
      'outbound',
      'ingest',
      'operations',
      'proof',
      'temporal',
      'telemetry',
    ],
    types: [],
  },
  surfaces: {
    values: [
      'domain',
      'config',
      'loops',
      'sealing',
      'store',
      'outbound',
      'ingest',
      'operations',
      'proof',
      'temporal',
      'telemetry',
      'api',
    ],
    types: [],
  },
  worker: {
    values: [
      'domain',
      'config',
      'loops',
      'sealing',
      'store',
      'outbound',
      'sending',
      'ingest',
      'operations',
      'proof',
      'activities',
      'temporal',
      'telemetry',
    ],
    types: [],
  },
  embedded: { values: ['domain', 'config', 'store'], types: [] },
};

const PARTS = [...Object.keys(MAY_IMPORT), 'cli'];

/** Single files that others may import although their part is out of bounds: plain constants, safe in a workflow. */
const EXCEPT = {
  workflows: ['^src/temporal/search-attributes[.]ts$'],
  embedded: ['^src/temporal/search-attributes[.]ts$'],
};

/** Files directly in `src` that are data, not composition. */
const ROOT_DATA = '^src/version[.]ts$';

/** Packages without I/O, clock and randomness of their own choosing. */
const PURE_PACKAGES = ['^node_modules/typeid-js/', '^node_modules/luxon/'];

const only = (names) => `^src/(${names.join('|')})/`;

function directionRules([part, { values, types }]) {
  const others = (allowed) => PARTS.filter((name) => name !== part && !allowed.includes(name));
  const from = { path: `^src/${part}/` };
  return [
    {
      name: `${part}-direction`,
      comment: `src/${part} may import ${['itself', ...values, ...types.map((name) => `types of ${name}`)].join(', ')}.`,
      severity: 'error',
      from,
      to: {
        path: [only(others([...values, ...types])), '^src/[^/]+[.]ts$', '^(test|bench|scripts|console|cli)/'],
        pathNot: [ROOT_DATA, ...(EXCEPT[part] ?? [])],
      },
    },
    ...(types.length === 0
      ? []
      : [
          {
            name: `${part}-types-only`,
            comment: `src/${part} may import ${types.join(' and ')} as types only.`,
            severity: 'error',
            from,
            to: { path: only(types), dependencyTypesNot: ['type-only'] },
          },
        ]),
  ];
}

module.exports = {
  forbidden: [
    ...Object.entries(MAY_IMPORT).flatMap(directionRules),
    {
      name: 'no-cycles',
      comment: 'What needs each other in a circle belongs together or has to be cut.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      comment: 'The domain has no I/O: it imports neither Node nor a package that might.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-optional', 'npm-dev'], pathNot: PURE_PACKAGES },
    },
    {
      name: 'workflows-bundle',
      comment: 'The workflow sandbox has neither Node nor the client side of the SDK.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-optional', 'npm-dev'],
        pathNot: ['^node_modules/@temporalio/(workflow|common)/'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'not-to-tests',
      comment: 'What is shipped does not need what is only for tests.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'console-stands-alone',
      comment:
        'The console is a client like any other: it knows the API by its document, and nothing behind it.',
      severity: 'error',
      from: { path: '^console/' },
      to: { path: '^(src|test|bench|scripts)/' },
    },
    {
      name: 'command-line-stands-alone',
      comment: 'The command line is a client like any other, and is installed without the service.',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(src|test|bench|scripts|console)/' },
    },
    {
      name: 'client-stands-alone',
      comment: 'The client runs in a browser, and in the code of others.',
      severity: 'error',
      from: { path: '^clients/' },
      to: { path: '^(src|test|bench|scripts|console|cli)/' },
    },
    {
      name: 'clients-have-no-node',
      comment: 'Browsers have none of it.',
      severity: 'error',
      from: { path: '^(clients|console/src)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'resolves',
      comment: 'Every import leads somewhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Types count: that a part knows the shape of another is a dependency too.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
