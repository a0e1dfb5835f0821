/** src/generated is what the .proto files say now. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { generate } from '../scripts/generate.mjs';
import { PROTO_FOLDER } from './schema/schema';

test('the checked-in types are those of proto/godwit/v1: if not, run node packages/wire/scripts/generate.mjs', () => {
  const folder = path.join(__dirname, 'generated');
  const there = new Map(readdirSync(folder).map((file) => [file, readFileSync(path.join(folder, file), 'utf8')]));
  const wanted: Map<string, string> = generate(PROTO_FOLDER);
  expect([...there.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [file, text] of wanted) expect({ file, text: there.get(file) }).toEqual({ file, text });
});
