/** Writes the reference of commands into docs/cli.md, from the table as it was built. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const { commandTable } = require('../dist/cluster/table.js');
const { withReference } = require('../dist/cluster/help/reference.js');
const { others } = require('../dist/help.js');
const file = path.join(here, '..', '..', '..', 'docs', 'cli.md');
writeFileSync(file, withReference(readFileSync(file, 'utf8'), commandTable(others)));
