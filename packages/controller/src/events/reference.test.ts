/** Proves that docs/events.md is what the table of kinds says, and that every kind is told somewhere. */
import fs from 'node:fs';
import path from 'node:path';
import { EVENT_KINDS } from '../core/event-kinds';
import { eventsReference } from './reference';

const root = path.join(__dirname, '../../../..');

test('docs/events.md is up to date', () => {
  expect(fs.readFileSync(path.join(root, 'docs/events.md'), 'utf8')).toBe(eventsReference());
});

test('no kind is only listed', () => {
  const source = path.join(root, 'packages/controller/src');
  const files = fs
    .readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => /^(?!.*(test|testing|event-kinds)).*\.ts$/.test(file));
  const text = files.map((file) => fs.readFileSync(path.join(source, file), 'utf8')).join('');
  const told = (kind: string): boolean => text.includes(`'${kind}'`) || text.includes(`\`${kind.split('.')[0]}.\${`);
  expect(Object.keys(EVENT_KINDS).filter((kind) => !told(kind))).toEqual([]);
});
