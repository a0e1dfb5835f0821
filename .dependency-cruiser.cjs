// Imports point one way (ARCHITECTURE.md, "Layers"):
//
//   isa ← cpu ← { interpreter, translator, machine }
//   lease, disk, snapshot, network, migration, wire, store, metrics, metal, images stand alone      storage → lease, disk      scheduler → migration
//   vmm → what a VM needs of those      agent → vmm, wire, …      controller → wire, store, scheduler, …      cli → all but the pure cores
//
// The table below is the whole rule: a package may import itself and what is listed.
// Pure packages hold no clock, file, socket or process: no Node built-ins at all.

const mayImport = {
  isa: [],
  cpu: ['isa'],
  interpreter: ['isa', 'cpu'],
  translator: ['isa', 'cpu'],
  machine: ['cpu'],
  lease: [],
  disk: [],
  snapshot: [],
  storage: ['lease', 'disk'],
  network: [],
  migration: [],
  wire: [],
  scheduler: ['migration'],
  store: [],
  metrics: [],
  dashboard: [],
  metal: [],
  images: [],
  vmm: ['isa', 'cpu', 'interpreter', 'translator', 'machine', 'metal', 'disk', 'storage', 'network', 'snapshot', 'lease', 'migration', 'wire'],
  agent: ['wire', 'storage', 'disk', 'metrics', 'migration', 'cpu', 'metal', 'network', 'vmm'],
  controller: ['wire', 'store', 'scheduler', 'metrics', 'migration', 'dashboard'],
  cli: ['vmm', 'images', 'cpu', 'metal', 'disk', 'storage', 'network', 'snapshot', 'migration', 'wire', 'store', 'agent', 'controller'],
};

const pure = ['isa', 'cpu', 'interpreter', 'translator', 'machine', 'lease', 'disk', 'migration', 'scheduler'];

const TESTS = '\\.test\\.ts$|/testing(/|\\.ts$)';

/** Imports by name land in `packages/<name>/dist` through the workspace links. */
const packageRules = Object.entries(mayImport).map(([name, allowed]) => ({
  name: `layers-${name}`,
  comment: `${name} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other package'}`,
  severity: 'error',
  from: { path: `^packages/${name}/src/`, pathNot: TESTS },
  to: { path: '^packages/', pathNot: `^packages/(${[name, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...packageRules,
    {
      name: 'pure-packages',
      comment: 'decoder, interpreter, translator and machine hold no I/O: pass a port in instead',
      severity: 'error',
      from: { path: `^packages/(${pure.join('|')})/src/`, pathNot: TESTS },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-cycles',
      comment: 'two files that import each other are one file, or hide a third',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-deep-imports',
      comment: "another package is used through its index; its files are its own",
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: TESTS },
      to: { path: '^packages/([^/]+)/(src|dist)/', pathNot: ['^packages/$1/', '^packages/[^/]+/dist/index\\.(js|d\\.ts)$'] },
    },
    {
      name: 'resolvable',
      comment: 'an import that leads nowhere: is the package built and listed in package.json?',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '\\.node$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    combinedDependencies: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
    // Not node_modules; but names that were not resolved (`@godwit/…`, `./…`), or the rule for them never fires.
    includeOnly: '^(packages/|node:|@godwit/|[.]|[a-z_/]+$)',
  },
};
