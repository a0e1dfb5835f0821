/**
 * What is moved: each row a guest of 512 MiB with its load.
 *
 *   { name, title, guest(images) → what a side starts, Subject: who measures it, begin/end(subject), points(subject) → [[ms, counter]] }
 *
 * `points` tell the guest's speed; a row without them has none that could be seen from outside.
 */
import { oracleCommandLine } from '../../oracle/guest.mjs';

export const MEMORY_MIB = 512;

const beats = (of) => ({ oracle }) => oracle.line.beats.map((beat) => [beat.ms, of(beat)]);
const kib = beats((beat) => beat.kib);

function oracleRow(name, title, { rate = 0, area = 64, pattern, web, begin, end, points = kib }) {
  return {
    name, title,
    guest: ({ kernel, initrd }) => ({ kernel, initrd, megabytes: MEMORY_MIB, network: true, append: ({ address }) => oracleCommandLine({ area, pattern, address, web }) }),
    begin: begin ?? (({ oracle }) => oracle.write(rate)),
    end: end ?? (({ oracle }) => oracle.write(0)),
    points,
  };
}

export const ROWS = [
  oracleRow('idle', 'idle', { points: beats((beat) => beat.count) }),
  ...[10, 50, 100, 200].map((rate) => oracleRow(String(rate), `${rate} MB/s rewritten, over 64 MiB`, { rate })),
  oracleRow('sparse', '100 MB/s of pages, two words of each, over 64 MiB', { rate: 100, pattern: 'sparse' }),
  oracleRow('full64', '64 MiB rewritten at full speed', { rate: -1 }),
  oracleRow('full128', '128 MiB rewritten at full speed', { rate: -1, area: 128 }),
  oracleRow('compile', 'like a compilation: processes, new memory, files', {
    begin: ({ oracle }) => oracle.load(true), end: ({ oracle }) => oracle.load(false), points: beats((beat) => beat.jobs),
  }),
  oracleRow('web', 'busy web server', {
    web: true, begin: (subject) => subject.startWeb(), end: (subject) => subject.stopWeb(), points: ({ web }) => web.points,
  }),
  {
    name: 'memtest', title: 'memtest86+ over all memory', memtest: true,
    guest: ({ memtest }) => ({ kernel: memtest, megabytes: MEMORY_MIB, vga: true, append: () => 'console=ttyS0,115200' }),
    begin() {},
    end() {},
  },
];

/** @throws Error naming what is unknown */
export function chosenRows(text) {
  if (!text) return ROWS;
  return text.split(',').map((name) => {
    const row = ROWS.find((one) => one.name === name);
    if (!row) throw new Error(`no row is named '${name}'; there are ${ROWS.map((one) => one.name).join(', ')}`);
    return row;
  });
}
