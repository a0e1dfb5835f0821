// Two projects, since their time limits differ: `unit` tests lie beside the code and are
// quick; `whole` tests under test/ boot guests and may need minutes each.
// Packages import each other by name, that is, their compiled dist: build first
// (`npm test` does). Only the tests and the files they reach by a relative path
// are compiled here, by swc, without type checks; `npm run typecheck` makes those.

// Packages published as ES modules only: swc must turn them into CommonJS for jest.
const esmOnly = ['jose', 'uuid', 'preact'];

// Minutes each: `npm run test:long`, and not a part of `npm test`.
const LONG = ['<rootDir>/test/store/cluster.test.ts', '<rootDir>/test/oracle/', '<rootDir>/test/agent/', '<rootDir>/test/cluster/long/'];

const shared = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: {
    '^.+\\.(ts|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' }, sourceMaps: 'inline' },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`, '/packages/[^/]+/dist/'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  watchPathIgnorePatterns: ['<rootDir>/\\.cache/'],
};

module.exports = {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/packages/*/src/**/*.test.ts'] },
    {
      ...shared,
      displayName: 'whole',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...(process.env.GODWIT_LONG ? [] : LONG.map((file) => file.replace('<rootDir>', '')))],
      setupFilesAfterEnv: ['<rootDir>/test/support/whole-test-timeout.cjs'],
    },
  ],
};
