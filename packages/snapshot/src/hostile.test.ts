// Proves that no damaged, shortened, foreign or forged file passes for a saved machine,
// and that each is refused with one line that names the file and what to do.
import { crc32 } from './checksum';
import { SnapshotError } from './errors';
import { viewOf } from './fields';
import { BATCH, END, HEADER, KIND, MEMORY, SECTION, TRAILER } from './layout';
import { StateReader } from './read-state';
import { noise, sampleMachine } from './sample';
import { MemorySource, patchwork, written } from './testing';

const RAM_PAGES = 6;
let whole: Uint8Array;

beforeAll(async () => {
  whole = await written(sampleMachine(patchwork(RAM_PAGES, 2)));
});

/** The error that reading ends with, or undefined if all is well. Anything but a SnapshotError fails the test. */
async function refusal(bytes: Uint8Array): Promise<SnapshotError | undefined> {
  const source = new MemorySource(bytes);
  try {
    const state = await StateReader.open(source);
    try {
      await state.loadMemory({ bytes: new Uint8Array(RAM_PAGES * 4096) });
    } finally {
      await state.close();
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    expect(error.message).toMatch(/^test\.state: [^\n]+$/);
    expect(source.closed).toBe(1);
    return error;
  }
}

/** A copy with a change made to it. */
function changed(change: (bytes: Uint8Array, view: DataView) => void): Uint8Array {
  const copy = whole.slice();
  change(copy, viewOf(copy));
  return copy;
}

/** Offsets of section headers, in order. */
function sectionOffsets(bytes: Uint8Array): Record<string, number> {
  const found: Record<string, number> = {};
  for (let at = 0; (at = Buffer.from(bytes).indexOf('SECT', at)) >= 0; at++) {
    const name = Buffer.from(bytes.subarray(at + SECTION.name, at + SECTION.name + 32)).toString('latin1');
    found[name.replace(/\0+$/, '')] = at;
  }
  return found;
}

/** Makes a section header's checksums fit its changed content again. */
function resealSection(bytes: Uint8Array, at: number): void {
  const view = viewOf(bytes);
  const length = view.getUint32(at + SECTION.length, true);
  const payload = bytes.subarray(at + SECTION.bytes, at + SECTION.bytes + length);
  view.setUint32(at + SECTION.payloadChecksum, crc32(payload), true);
  view.setUint32(at + SECTION.checksum, crc32(bytes.subarray(at, at + SECTION.checksum)), true);
}

function resealBatch(bytes: Uint8Array, at: number): void {
  const view = viewOf(bytes);
  const bodyBytes = view.getUint16(at + BATCH.runs, true) * 8 + view.getUint32(at + BATCH.dataBytes, true);
  const body = bytes.subarray(at + BATCH.bytes, at + BATCH.bytes + bodyBytes);
  view.setUint32(at + BATCH.checksum, crc32(body, crc32(bytes.subarray(at, at + BATCH.checksum))), true);
}

test('the whole file is good', async () => {
  expect(await refusal(whole)).toBeUndefined();
});

test('every truncation is refused', async () => {
  for (let length = 0; length < whole.length; length += length < 400 || length > whole.length - 200 ? 1 : 13) {
    expect((await refusal(whole.slice(0, length)))?.code).toBe('truncated');
  }
});

test('every flipped bit is found', async () => {
  const found = async (at: number, bit: number) => {
    const error = await refusal(changed((bytes) => (bytes[at] ^= 1 << bit)));
    if (!error) throw new Error(`bit ${bit} of byte ${at} can be flipped unnoticed`);
  };
  // All bits of the header, the first section's header, the memory's trailer and the end; then one bit of every few bytes.
  const dense = [...whole.keys()].filter((at) => at < HEADER.bytes + SECTION.bytes || at >= whole.length - 100);
  for (const at of dense) for (let bit = 0; bit < 8; bit++) await found(at, bit);
  for (let at = 0; at < whole.length; at += 3) await found(at, at % 8);
});

test('random damage, pieces moved and doubled are found', async () => {
  const random = noise(11);
  for (let round = 0; round < 400; round++) {
    const [from, to] = [random() % whole.length, random() % whole.length];
    const length = 1 + (random() % 300);
    const kinds = [
      () => changed((bytes) => bytes.copyWithin(to, from, from + length)),
      () => changed((bytes) => bytes.fill(random(), from, from + length)),
      () => Buffer.concat([whole.subarray(0, from), whole.subarray(from + length)]),
      () => Buffer.concat([whole.subarray(0, from), whole.subarray(to, to + length), whole.subarray(from)]),
    ];
    const bytes = kinds[round % kinds.length]();
    if (Buffer.compare(bytes, whole) === 0) continue;
    if (!(await refusal(bytes))) throw new Error(`round ${round} was not noticed`);
  }
});

test('other files and newer ones are named as what they are', async () => {
  expect((await refusal(Buffer.from('#!/bin/sh\necho this is something else\n')))?.code).toBe('not-a-state');
  const future = changed((bytes, view) => {
    view.setUint32(HEADER.formatVersion, 2, true);
    view.setUint32(HEADER.checksum, crc32(bytes.subarray(0, HEADER.checksum)), true);
  });
  const error = await refusal(future);
  expect(error?.code).toBe('newer');
  expect(error?.message).toBe(
    'test.state: Godwit 0.1.0 wrote it in format 2, this program reads up to 1: update Godwit on this host, or resume where it was suspended',
  );
  const kind = changed((bytes, view) => {
    const at = sectionOffsets(bytes).vcpu;
    view.setUint16(at + SECTION.kind, 9, true);
    resealSection(bytes, at);
  });
  expect((await refusal(kind))?.message).toContain('section "vcpu" is of a kind that this program does not know');
});

test('sections that were taken out, doubled or swapped are missed, though each fits its checksum', async () => {
  const at = sectionOffsets(whole);
  const [clock, vcpu] = [whole.subarray(at.clock, at.vcpu), whole.subarray(at.vcpu, at.machine)];
  const [before, after] = [whole.subarray(0, at.clock), whole.subarray(at.machine)];
  expect((await refusal(Buffer.concat([before, clock, after])))?.message).toContain('parts do not belong together');
  expect((await refusal(Buffer.concat([before, vcpu, clock, after])))?.message).toContain('parts do not belong together');
  expect((await refusal(Buffer.concat([before, clock, clock, vcpu, after])))?.message).toContain('section "clock" occurs twice');
  const other = changed((bytes, view) => {
    view.setUint32(HEADER.machineVersion, 2, true);
    view.setUint32(HEADER.checksum, crc32(bytes.subarray(0, HEADER.checksum)), true);
  });
  expect((await refusal(other))?.message).toContain('parts do not belong together');
  expect((await refusal(Buffer.concat([whole, Buffer.from('x')])))?.message).toContain('something follows its end');
});

test('forged numbers are refused before anything is allocated or written', async () => {
  const at = sectionOffsets(whole);
  const batch = Buffer.from(whole).indexOf('PAGE', at.memory);
  const forge = (change: (view: DataView) => void, seal: (bytes: Uint8Array) => void) =>
    refusal(
      changed((bytes, view) => {
        change(view);
        seal(bytes);
      }),
    );
  const memory = at.memory + SECTION.bytes;
  const sealMemory = (bytes: Uint8Array) => resealSection(bytes, at.memory);
  const sealBatch = (bytes: Uint8Array) => resealBatch(bytes, batch);
  const forgeries: [string, Promise<SnapshotError | undefined>][] = [
    [
      'claims 4294967295 bytes',
      forge(
        (view) => view.setUint32(at.machine + SECTION.length, 0xffffffff, true),
        (bytes) => resealSection(bytes, at.machine),
      ),
    ],
    ['a size that no machine has', forge((view) => view.setBigUint64(memory + MEMORY.memoryBytes, 1n << 60n, true), sealMemory)],
    ['a size that no machine has', forge((view) => view.setBigUint64(memory + MEMORY.memoryBytes, 4095n, true), sealMemory)],
    ['a size that no machine has', forge((view) => view.setUint32(memory + MEMORY.pageBytes, 1, true), sealMemory)],
    ['the VM has 24576', forge((view) => view.setBigUint64(memory + MEMORY.memoryBytes, 4096n, true), sealMemory)],
    [
      'ends before its memory',
      forge(
        (view) => view.setUint16(at.clock + SECTION.kind, KIND.end, true),
        (bytes) => resealSection(bytes, at.clock),
      ),
    ],
    [
      'is not JSON',
      forge(
        (view) => view.setUint8(at.clock + SECTION.bytes, 0xff),
        (bytes) => resealSection(bytes, at.clock),
      ),
    ],
    ['no batch of pages', forge((view) => view.setUint16(batch + BATCH.pages, 65, true), sealBatch)],
    ['no batch of pages', forge((view) => view.setUint16(batch + BATCH.runs, 0, true), sealBatch)],
    [
      'no batch of pages',
      forge(
        (view) => view.setUint32(batch + BATCH.dataBytes, 1 << 30, true),
        () => {},
      ),
    ],
    ['no batch of pages', forge((view) => view.setUint32(batch + BATCH.encoding, 7, true), sealBatch)],
    ['its memory names', forge((view) => view.setUint32(batch + BATCH.bytes, 0xfffffff0, true), sealBatch)],
    ['its memory names', forge((view) => view.setUint32(batch + BATCH.bytes + 4, 0xffffffff, true), sealBatch)],
    ['its memory names', forge((view) => view.setUint32(batch + BATCH.bytes + 4, 0, true), sealBatch)],
  ];
  for (const [message, outcome] of forgeries) expect((await outcome)?.message).toContain(message);
});

test('packed data that unpacks to something else is refused', async () => {
  const batch = Buffer.from(whole).indexOf('PAGE');
  const runs = viewOf(whole).getUint16(batch + BATCH.runs, true);
  const data = batch + BATCH.bytes + runs * 8;
  expect(viewOf(whole).getUint32(batch + BATCH.encoding, true)).toBe(1);
  const random = noise(3);
  let unpacked = 0;
  for (let round = 0; round < 300; round++) {
    const error = await refusal(
      changed((bytes) => {
        for (let count = 0; count < 4; count++) bytes[data + (random() % 2000)] = random();
        resealBatch(bytes, batch);
      }),
    );
    expect(error?.message).toMatch(/does not unpack|checksum over all of its memory/);
    if (error?.message.includes('over all')) unpacked++;
  }
  expect(unpacked).toBeGreaterThan(0);
});

test('the trailer and the end vouch for what came before', async () => {
  const trailer = Buffer.from(whole).lastIndexOf('MEND');
  const counts = changed((bytes, view) => {
    view.setUint32(trailer + TRAILER.pages, 1, true);
    view.setUint32(trailer + TRAILER.checksum, crc32(bytes.subarray(trailer, trailer + TRAILER.checksum)), true);
  });
  expect((await refusal(counts))?.message).toContain('pages and not 1');
  const { end } = sectionOffsets(whole);
  for (const field of [END.sections, END.chain, END.fileBytes]) {
    const forged = changed((bytes, view) => {
      view.setUint32(end + SECTION.bytes + field, 1, true);
      resealSection(bytes, end);
    });
    expect((await refusal(forged))?.message).toContain('parts do not belong together');
  }
});

test('sections that a program does not know, or knows in other versions, are refused', async () => {
  const state = await StateReader.open(new MemorySource(whole));
  const json = { kind: 'json', oldest: 1, newest: 1 } as const;
  const good = {
    config: json,
    features: json,
    clock: json,
    vcpu: { kind: 'binary', oldest: 2, newest: 3 },
    machine: { ...json, newest: 2 },
  } as const;
  expect(() => state.expect(good)).not.toThrow();
  expect(() => state.expect({ ...good, extra: { ...json, optional: true } })).not.toThrow();
  expect(() => state.expect({ ...good, extra: json })).toThrow('section "extra" is missing (written by Godwit 0.1.0)');
  expect(() => state.expect({ ...good, machine: json })).toThrow('section "machine" has version 2, this program reads up to 1');
  expect(() => state.expect({ ...good, vcpu: json })).toThrow('section "vcpu" has version 3');
  expect(() => state.expect({ ...good, config: { ...json, kind: 'binary' } })).toThrow('section "config" is json, version 1');
  const { clock: _, ...less } = good;
  expect(() => state.expect(less)).toThrow('section "clock" is unknown to this program');
  expect(() => state.json('vcpu')).toThrow(SnapshotError);
  expect(() => state.bytes('none')).toThrow(SnapshotError);
  await state.close();
});
