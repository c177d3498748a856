export default {
  testEnvironment: 'node',
  // Most of a test is waiting for servers: a worker for each core keeps none of them idle.
  maxWorkers: '100%',
  // Tests wait for conditions, each with a deadline and a name of its own: this one only ends what hangs.
  testTimeout: 150_000 * Number(process.env.REDRIVE_TEST_PATIENCE ?? 4),
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
