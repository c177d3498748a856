import { availableParallelism } from 'node:os';

export default {
  testEnvironment: 'node',
  // Much of a test is waiting for servers, for leases and heartbeats: half as many again as cores keep those at work.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  // Modules of ended files stay in memory, and each collection looks at them.
  workerIdleMemoryLimit: '1GB',
  // Tests wait for conditions, each with a deadline and a name of its own: this one only ends what hangs.
  testTimeout: 150_000 * Number(process.env.REDRIVE_TEST_PATIENCE ?? 4),
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};
