// Proves that saving to a file is all or nothing: whatever goes wrong, the state saved
// before is untouched and nothing else is left; and that it is for its owner's eyes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeState, verifyStateFile } from './describe';
import { FileSink, openStateFile, removeAbandoned, saveStateFile } from './node-files';
import { StateReader } from './read-state';
import { sampleMachine, sampleMemory } from './sample';
import { MemorySink, MemorySource, patchwork } from './testing';
import { writeState } from './write-state';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-state-'));
  path = join(folder, 'vm.state');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const machine = sampleMachine(sampleMemory());
/** Several writes of IO_BYTES. */
const larger = () => sampleMachine(patchwork(4000, 3));

test('saved, described, loaded', async () => {
  const report = await saveStateFile(path, machine);
  expect(report.fileBytes).toBe(statSync(path).size);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['vm.state']);
  const text = describeState(await verifyStateFile(path));
  expect(text.split('\n')).toEqual([
    `${path}: whole, all checksums match`,
    '  written by Godwit 0.1.0 on 2025-11-23T12:00:00.000Z',
    '  format 1, machine version 1',
    expect.stringMatching(/^ {2}memory: 288 KiB of 1 MiB hold something, [\d.]+ KiB in the file$/),
    '    config    version 1  json    52 B',
    '    features  version 1  json    14 B',
    '    clock     version 1  json    44 B',
    '    vcpu      version 3  binary  300 B',
    expect.stringMatching(/^ {4}machine {3}version 2 {2}json {4}\d+ B$/),
    expect.stringMatching(/^ {4}memory {4}28 % used {2}pages {3}[\d.]+ KiB$/),
  ]);
  const state = await openStateFile(path);
  const ram = new Uint8Array(state.memoryBytes);
  await state.loadMemory({ bytes: ram, fresh: true });
  await state.close();
  expect(Buffer.compare(ram, machine.memory.bytes)).toBe(0);
});

test('a failed or cancelled save leaves the one before, and nothing else', async () => {
  await saveStateFile(path, machine);
  const before = readFileSync(path);
  const abort = new AbortController();
  const progress = () => abort.abort('the user changed his mind');
  const cancelled = saveStateFile(path, larger(), { signal: abort.signal, progress });
  await expect(cancelled).rejects.toMatchObject({ code: 'cancelled', message: `${path}: cancelled: the user changed his mind` });
  await expect(saveStateFile(path, { ...machine, writerVersion: 'ü' })).rejects.toThrow(RangeError);
  await expect(saveStateFile(join(folder, 'none/vm.state'), machine)).rejects.toMatchObject({ code: 'io' });
  expect(readdirSync(folder)).toEqual(['vm.state']);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('a full datastore is called that', async () => {
  const sink = new MemorySink(3_000_000);
  await expect(writeState(sink, larger())).rejects.toMatchObject({
    code: 'no-space',
    message: 'test.state: no space left on the datastore; free some and try again (the state saved before, if any, is still there)',
  });
  expect(sink.outcome).toBe('aborted');
});

test('a really full file system, too', async () => {
  const mounted = () => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'none', folder], { stdio: 'ignore' });
  try {
    mounted();
  } catch {
    // No right to mount here: the test above stands for it.
    return;
  }
  try {
    await saveStateFile(path, machine);
    await expect(saveStateFile(path, larger())).rejects.toMatchObject({ code: 'no-space' });
    expect(readdirSync(folder)).toEqual(['vm.state']);
    await verifyStateFile(path);
  } finally {
    execFileSync('umount', [folder]);
  }
});

test('a port that fails at any write or at the commit ends in an abort', async () => {
  for (let failing = 0; failing < 5; failing++) {
    const sink = new MemorySink();
    let calls = 0;
    const write = sink.write.bind(sink);
    sink.write = async (bytes) => (calls++ === failing ? Promise.reject(new Error('the cable is out')) : write(bytes));
    sink.commit = async () => Promise.reject(new Error('the cable is out'));
    await expect(writeState(sink, larger())).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('the cable is out') });
    expect(sink.outcome).toBe('aborted');
  }
});

test('a source that fails or lies is an error, not a hang', async () => {
  const sink = new MemorySink();
  await writeState(sink, larger());
  for (const wrong of [() => Promise.reject(new Error('EIO')), () => Promise.resolve(1e9), () => Promise.resolve(-1)]) {
    const source = new MemorySource(sink.bytes);
    const read = source.read.bind(source);
    let calls = 0;
    source.read = (into) => (calls++ === 1 ? wrong() : read(into));
    const state = await StateReader.open(source);
    await expect(state.loadMemory()).rejects.toMatchObject({ code: 'io' });
    await state.close();
  }
  await expect(openStateFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('ENOENT') });
});

test('what a killed writer left is removed, and nothing else', async () => {
  const killed = new FileSink(path);
  await killed.write(Buffer.from('half'));
  writeFileSync(`${path}.partial-notes`, '');
  writeFileSync(join(folder, 'other.state.partial-0123456789abcdef'), '');
  expect(readdirSync(folder)).toHaveLength(3);
  await removeAbandoned(path);
  expect(readdirSync(folder).sort()).toEqual(['other.state.partial-0123456789abcdef', 'vm.state.partial-notes']);
  await killed.abort();
});
