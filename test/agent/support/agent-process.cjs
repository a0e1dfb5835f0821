// An agent as a process of its own: `node agent-process.cjs CONFIG.json`. Says `up` when it is.
const { readFileSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..', '..', '..');
const { startAgent } = require(path.join(root, 'packages', 'agent'));
const main = path.join(root, 'packages', 'cli', 'dist', 'main.js');

startAgent(JSON.parse(readFileSync(process.argv[2], 'utf8')), { vmmCommand: [process.execPath, main, 'vmm'], version: 'test' }).then(
  (agent) => {
    process.stdout.write('up\n');
    process.on('SIGTERM', () => agent.stop().then(() => process.exit(0)));
  },
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
