/** Medians and 95th percentiles over a row's moves, each side beside the others; text for people. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { median, quantile } from './series.mjs';

/** What a row tells of a side, of those moves that got through. */
export function summarize(rows, samples, sides) {
  return rows.map(({ name, title }) => {
    const of = Object.fromEntries(sides.map((side) => [side.name, summarizeSide(samples.filter((one) => one.row === name && one.side === side.name))]));
    return { name, title, sides: of, ratios: ratios(of) };
  });
}

function summarizeSide(moves) {
  const done = moves.filter(({ outcome }) => outcome === 'completed');
  const spread = (read) => ({ median: median(done.map(read)), p95: quantile(done.map(read), 0.95) });
  const middle = (read) => median(done.map(read));
  const tables = (name) => [...new Set(done.flatMap((one) => Object.keys(one[name] ?? {})))];
  const medians = (name) => Object.fromEntries(tables(name).map((key) => [key, middle((one) => one[name]?.[key])]));
  return {
    moves: moves.length, completed: done.length, whole: moves.filter(({ verdict }) => verdict).length,
    totalMs: spread(({ totalMs }) => totalMs), pauseMs: spread(({ pauseMs }) => pauseMs), gapMs: spread(({ gapMs }) => gapMs), jitterMs: spread(({ jitterMs }) => jitterMs),
    stallMs: spread(({ stallMs }) => stallMs), afterStallMs: spread(({ afterStallMs }) => afterStallMs), cpuMs: spread(({ cpuMs }) => cpuMs),
    serialGapMs: spread(({ serialGapMs }) => serialGapMs), serialJitterMs: spread(({ serialJitterMs }) => serialJitterMs),
    longestRequestMs: spread(({ longestRequestMs }) => longestRequestMs), failedRequests: Math.max(0, ...moves.map(({ failedRequests }) => failedRequests ?? 0)),
    parts: medians('parts'), bytes: medians('bytes'), pages: medians('pages'),
    rounds: middle(({ rounds }) => rounds), throttlePercent: middle(({ throttlePercent }) => throttlePercent),
    slowdown: middle(({ slowdown }) => slowdown), fullSpeedMs: spread(({ fullSpeedMs }) => fullSpeedMs),
    notFullSpeed: done.filter(({ fullSpeedMs }) => fullSpeedMs === Number.POSITIVE_INFINITY).length,
    problems: [...new Set(moves.filter(({ outcome, verdict }) => outcome !== 'completed' || !verdict).map(({ outcome, line, verdict, said }) => (outcome === 'completed' ? '' : `${line}. `) + (verdict ? '' : `GUEST DAMAGED: ${said}`)))],
  };
}

/** How many times as long each peer takes, where both got through. */
function ratios({ godwit, ...peers }) {
  if (!godwit) return {};
  const times = (peer, figure) => peer[figure].median / godwit[figure].median;
  return Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, Object.fromEntries(['totalMs', 'pauseMs', 'gapMs', 'cpuMs'].map((figure) => [figure, times(peer, figure)]))]));
}

/** What the figures depend on. */
export function machineFacts() {
  const model = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? os.cpus()[0]?.model;
  return { cpu: model, cpus: os.cpus().length, memoryGiB: Math.round(os.totalmem() / 2 ** 30), kernel: os.release(), node: process.version, load: os.loadavg()[0] };
}

const number = (value, digits = 0) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const both = ({ median: middle, p95 }, digits) => (Number.isFinite(middle) ? `${number(middle, digits)} / ${number(p95, digits)}` : '–');
const MIB = 2 ** 20;

const COLUMNS = [
  ['', ([name]) => name, 'left'],
  ['moved', ([, side]) => `${side.completed}/${side.moves}`],
  ['whole', ([, side]) => `${side.whole}/${side.moves}`],
  ['total ms', ([, side]) => both(side.totalMs)],
  ['pause ms', ([, side]) => both(side.pauseMs, 1)],
  ['gap outside ms', ([, side]) => both(side.gapMs, 1)],
  ['jitter', ([, side]) => number(side.jitterMs.median, 1)],
  ['before', ([, side]) => number(side.stallMs.median, 1)],
  ['after', ([, side]) => number(side.afterStallMs.median, 1)],
  ['CPU ms', ([, side]) => number(side.cpuMs.median)],
  ['rounds', ([, side]) => number(side.rounds)],
  ['MiB sent', ([, side]) => number(side.bytes.wire / MIB)],
  ['slower by', ([, side]) => (Number.isFinite(side.slowdown) ? `${Math.round(side.slowdown * 100)} %` : '–')],
  ['full speed ms', ([, side]) => both(side.fullSpeedMs) + (side.notFullSpeed > 0 ? ` (${side.notFullSpeed} not)` : '')],
];

export function formatReport({ machine, rows, moves }) {
  const { cpu, cpus, memoryGiB, kernel, node, load, qemu } = machine;
  const head = [
    `${cpu}, ${cpus} CPUs, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, ${qemu ?? 'no QEMU'}; load average ${load.toFixed(1)} at the start.`,
    `Up to ${moves} moves a row and side, in turns. Median / 95th percentile of the moves that got through.`,
  ];
  return `${[...head, ...rows.flatMap(formatRow)].join('\n')}\n`;
}

function formatRow({ name, title, sides, ratios: times }) {
  const entries = Object.entries(sides);
  const cells = [COLUMNS.map(([head]) => head), ...entries.map((entry) => COLUMNS.map(([, cell]) => cell(entry)))];
  const widths = COLUMNS.map((_, at) => Math.max(...cells.map((row) => row[at].length)));
  const lines = cells.map((row) => `  ${row.map((text, at) => (COLUMNS[at][2] === 'left' ? text.padEnd(widths[at]) : text.padStart(widths[at]))).join('  ')}`);
  return ['', `${name}: ${title}`, ...lines, ...entries.flatMap(details), ...Object.entries(times).map(ratioLine)];
}

function details([name, { parts, pages, serialGapMs, serialJitterMs, throttlePercent, longestRequestMs, failedRequests, problems }]) {
  const list = (table, digits) => Object.entries(table).filter(([, value]) => value > 0).map(([key, value]) => `${key} ${number(value, digits)}`).join(', ');
  const told = [
    list(parts, 1) && `pause: ${list(parts, 1)} ms`,
    list(pages) && `pages: ${list(pages)}`,
    Number.isFinite(serialGapMs.median) && `gap on the serial line ${both(serialGapMs, 1)} ms (jitter ${number(serialJitterMs.median, 1)})`,
    longestRequestMs.median > 0 && `longest request ${both(longestRequestMs)} ms, ${failedRequests} failed`,
    throttlePercent > 0 && `throttled by up to ${number(throttlePercent)} %`,
  ].filter(Boolean);
  return [...(told.length > 0 ? [`    ${name}: ${told.join('; ')}`] : []), ...problems.map((problem) => `    ${name}: ${problem}`)];
}

const ratioLine = ([name, { totalMs, pauseMs, gapMs, cpuMs }]) =>
  `    ${name} against godwit: total ${number(totalMs, 2)} ×, pause by their own word ${number(pauseMs, 2)} ×, from outside ${number(gapMs, 2)} ×, CPU time ${number(cpuMs, 2)} ×`;
