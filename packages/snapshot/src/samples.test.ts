// Proves that a state file of every released version can still be read, to the last byte.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FORMAT_VERSION } from './layout';
import { openStateFile } from './node-files';
import { sampleMachine, sampleMemory } from './sample';

const folder = join(__dirname, 'testdata');
const samples = readdirSync(folder).filter((name) => name.endsWith('.state'));

test('there is a sample of the current version', () => {
  expect(samples).toContain(`format-${FORMAT_VERSION}.state`);
});

test.each(samples)('%s', async (name) => {
  const path = join(folder, name);
  expect(statSync(path).size).toBeLessThan(64 * 1024);
  const expected = sampleMachine(sampleMemory());
  const state = await openStateFile(path);
  expect(`format-${state.info.formatVersion}.state`).toBe(name);
  expect(state.info).toMatchObject({ machineVersion: 1, writerVersion: '0.1.0', createdMs: expected.createdMs });
  for (const section of expected.sections) expect(state.sections.get(section.name)).toMatchObject(section);
  const ram = new Uint8Array(state.memoryBytes).fill(0xee);
  await state.loadMemory({ bytes: ram });
  await state.close();
  expect(Buffer.compare(ram, expected.memory.bytes)).toBe(0);
});
