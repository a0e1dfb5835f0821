// Proves that what is saved comes back: sections, and memory of any pattern, into fresh
// RAM and into used RAM, from a source that gives few bytes at a time.
import { BATCH_PAGES, PAGE_BYTES } from './limits';
import { StateReader } from './read-state';
import { noise, sampleMachine, sampleMemory } from './sample';
import { MemorySink, MemorySource, patchwork, written } from './testing';
import { writeState } from './write-state';

async function loaded(bytes: Uint8Array, fresh: boolean, piece?: number): Promise<Uint8Array> {
  const state = await StateReader.open(new MemorySource(bytes, piece));
  const ram = new Uint8Array(state.memoryBytes).fill(fresh ? 0 : 0xee);
  await state.loadMemory({ bytes: ram, fresh });
  await state.close();
  return ram;
}

const same = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0;

test('sections come back as they were, memory too', async () => {
  const machine = sampleMachine(sampleMemory());
  const source = new MemorySource(await written(machine), 1000);
  const state = await StateReader.open(source);
  expect(state.info).toEqual({ formatVersion: 1, machineVersion: 1, writerVersion: '0.1.0', createdMs: machine.createdMs });
  expect([...state.sections.keys()]).toEqual(['config', 'features', 'clock', 'vcpu', 'machine']);
  for (const section of machine.sections) {
    expect(state.sections.get(section.name)).toMatchObject(section);
    if ('json' in section) expect(state.json(section.name)).toEqual(section.json);
    else expect(same(state.bytes(section.name), section.bytes)).toBe(true);
  }
  const ram = new Uint8Array(state.memoryBytes).fill(1);
  const report = await state.loadMemory({ bytes: ram });
  await state.close();
  expect(same(ram, machine.memory.bytes)).toBe(true);
  expect(report).toMatchObject({ pages: 256, storedPages: 72 });
  expect(source.closed).toBe(1);
});

test.each([0, 1, BATCH_PAGES - 1, BATCH_PAGES, BATCH_PAGES + 1, 1000])('random patterns of %d pages', async (pages) => {
  for (const seed of [1, 2, 3]) {
    const ram = patchwork(pages, seed);
    const bytes = await written(sampleMachine(ram));
    expect(same(await loaded(bytes, true), ram)).toBe(true);
    expect(same(await loaded(bytes, false, 77_777), ram)).toBe(true);
  }
});

test('all zero is a file of a few hundred bytes; all noise is stored as it is', async () => {
  const zero = new Uint8Array(64 * 1024 * 1024);
  const bytes = await written({ ...sampleMachine(zero), sections: [] });
  expect(bytes.length).toBeLessThan(400);
  expect(same(await loaded(bytes, false), zero)).toBe(true);
  const random = noise(5);
  const full = Uint8Array.from({ length: 3 * BATCH_PAGES * PAGE_BYTES }, random);
  const large = await written({ ...sampleMachine(full), sections: [] });
  expect(large.length).toBeLessThan(full.length + 500);
  expect(same(await loaded(large, true), full)).toBe(true);
});

test('a page that differs from zero in its last byte alone is kept', async () => {
  const ram = new Uint8Array(20 * PAGE_BYTES);
  ram[7 * PAGE_BYTES - 1] = 1;
  expect(same(await loaded(await written(sampleMachine(ram)), true), ram)).toBe(true);
});

test('pages outside the populated ranges are not read', async () => {
  const ram = patchwork(300, 9);
  const machine = sampleMachine(ram);
  const populated = [
    { firstPage: 3, pages: 40 },
    { firstPage: 43, pages: 0 },
    { firstPage: 100, pages: 150 },
  ];
  const expected = new Uint8Array(ram.length);
  for (const { firstPage, pages } of populated) {
    const [from, to] = [firstPage * PAGE_BYTES, (firstPage + pages) * PAGE_BYTES];
    expected.set(ram.subarray(from, to), from);
  }
  const bytes = await written({ ...machine, memory: { bytes: ram, populated } });
  expect(same(await loaded(bytes, false), expected)).toBe(true);
  const wrong = [{ firstPage: 299, pages: 2 }];
  await expect(written({ ...machine, memory: { bytes: ram, populated: wrong } })).rejects.toThrow(RangeError);
});

test('RAM in shared memory, at any offset, can be saved and loaded', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(101 * PAGE_BYTES), PAGE_BYTES);
  shared.set(patchwork(100, 4));
  const bytes = await written(sampleMachine(shared));
  const target = new Uint8Array(new SharedArrayBuffer(101 * PAGE_BYTES), PAGE_BYTES);
  const state = await StateReader.open(new MemorySource(bytes));
  await state.loadMemory({ bytes: target, fresh: true });
  expect(same(target, shared)).toBe(true);
});

test('what the format cannot hold is the caller’s error, and nothing is left', async () => {
  const machine = sampleMachine(sampleMemory());
  const bad = [
    [{ name: 'a', version: 1, json: { deep: [1, Number.NaN] } }],
    [{ name: 'a', version: 1, json: { late: Infinity } }],
    [{ name: 'a', version: 1, json: { bytes: new Uint8Array(3) } }],
    [{ name: 'a', version: 1, json: undefined }],
    [{ name: 'a', version: 0, json: 1 }],
    [{ name: 'A b', version: 1, json: 1 }],
    [{ name: 'memory', version: 1, json: 1 }],
    [
      { name: 'a', version: 1, json: 1 },
      { name: 'a', version: 1, json: 2 },
    ],
  ];
  for (const sections of bad) {
    const sink = new MemorySink();
    await expect(writeState(sink, { ...machine, sections })).rejects.toThrow(/deep|late|bytes|section|version/);
    expect(sink.outcome).toBe('aborted');
  }
});
