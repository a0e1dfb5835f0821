/* The summary as text: one line a row, a mark at whatever missed its target. */

const number = (digits, unit = '') => (value) => (value === undefined ? '-' : `${value.toFixed(digits)}${unit}`);

const columns = [
  ['', (row) => row.name, 'left'],
  ['native ms', (row) => number(0)(row.nativeMs)],
  ['godwit ms', (row) => number(0)(row.godwitMs)],
  ['qemu ms', (row) => number(0)(row.qemuMs)],
  ['godwit / native', (row) => number(0, ' %')(row.percentOfNative)],
  ['qemu / native', (row) => number(0, ' %')(row.qemuPercentOfNative)],
  ['godwit / qemu', (row) => number(1, ' ×')(row.timesQemu)],
  ['', (row) => [...row.misses.map((miss) => `! ${miss}`), ...row.notes].join('; '), 'left'],
];

export function formatReport(summary) {
  const groups = [...new Set(summary.rows.map((row) => row.group))];
  const lines = groups.flatMap((group) => [`${group}`, ...summary.rows.filter((row) => row.group === group), meanRow(`mean ${group}`, summary.means.groups[group]), '']);
  lines.push(meanRow('mean of user code', summary.means.groups.user), summary.boot);
  const parts = [
    `Medians of ${summary.rounds} rounds at scale ${summary.scale}, ${summary.by === 'cpu' ? 'CPU time' : 'elapsed time'}; speed relative to native and to QEMU: more is better.`,
    table(lines),
    vmmLines(summary.vmm).join('\n'),
    summary.problems.length > 0 ? `Problems:\n${summary.problems.map((p) => `  ${p}`).join('\n')}` : '',
    summary.misses.length > 0 ? `Below target (${summary.misses.length}):\n${summary.misses.map((m) => `  ${m}`).join('\n')}` : 'No row below its target.',
  ];
  return `\n${parts.filter(Boolean).join('\n\n')}\n`;
}

const meanRow = (name, mean) => ({ name, misses: [], notes: [], ...mean });

/** Strings are headings; the rest are rows of the columns above. */
function table(lines) {
  const cells = lines.map((line) => (typeof line === 'string' ? line : columns.map(([, cell]) => cell(line))));
  const heads = columns.map(([head]) => head);
  const widths = columns.map((_, i) => Math.max(...[heads, ...cells.filter(Array.isArray)].map((row) => row[i].length)));
  const pad = (text, i) => (columns[i][2] === 'left' ? text.padEnd(widths[i]) : text.padStart(widths[i]));
  return [heads, ...cells].map((row) => (Array.isArray(row) ? row.map(pad).join('  ').trimEnd() : row)).join('\n');
}

function vmmLines(vmm) {
  return Object.entries(vmm).flatMap(([target, v]) => [
    `${target}: ${number(1)(v.overheadMiB)} MiB of memory beyond the guest's (guest ${number(0)(v.guestMiB)} MiB resident, page tables ${number(1)(v.pageTablesMiB)} MiB more), guest clock source ${v.clocksource ?? '-'}`,
    ...(target === 'godwit'
      ? [
          `  start to first guest instruction ${number(0)(v.startToFirstInstructionMs)} ms; ` +
            `translated ${number(0)(v.translatedInstructions)} instructions in ${number(2)(v.translationSeconds)} s (${number(2)(v.translatedInstructionsPerSecond && v.translatedInstructionsPerSecond / 1e6)} million a second)`,
        ]
      : []),
  ]);
}
