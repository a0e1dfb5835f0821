/**
 * Writes docs/events.md from the table of kinds; a test fails while they differ.
 *
 *     npx tsc -b packages/controller && node packages/controller/bin/write-reference.mjs
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const { eventsReference } = createRequire(import.meta.url)('../dist/events/reference.js');
writeFileSync(path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../docs/events.md'), eventsReference());
