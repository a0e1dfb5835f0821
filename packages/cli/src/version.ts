import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Of this Godwit, as its package says. */
export const version = (JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')) as { version: string }).version;
