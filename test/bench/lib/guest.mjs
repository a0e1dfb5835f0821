/*
 * One boot of a guest: start the VMM, stamp the lines of its serial port, look
 * at its memory at the end, wait for the power-off. A guest that hangs or dies
 * costs only the rows it still owed; the tail of its console says why.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { bootMarker, endMarker } from './initramfs.mjs';
import { powerOffMs } from './limits.mjs';
import { readLines, RowReader } from './lines.mjs';
import { processCpuMs } from './cpu-time.mjs';
import { processMemory } from './memory.mjs';

const TAIL_LINES = 12;

/** → { rows, problems, bootMs, bootCpuMs, clocksource, memory, stats } */
export async function bootGuest({ command, args, statsFile }, { workloads, options }) {
  if (statsFile) rmSync(statsFile, { force: true });
  const reader = new RowReader();
  const tail = [];
  const boot = { problems: [] };
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const cpu = () => processCpuMs(child.pid);
  const watchdog = silenceWatchdog(child, options.timeoutSeconds * 1000, boot);
  readLines(child.stdout, (line, at) => {
    watchdog.feed();
    keep(tail, line);
    reader.line(line, at, cpu);
    if (line.includes(bootMarker) && boot.bootMs === undefined) {
      boot.bootMs = at - started;
      boot.bootCpuMs = cpu();
    } else if (line.startsWith('bench: clocksource ')) boot.clocksource = line.slice(19);
    else if (line.includes(endMarker)) {
      boot.memory = processMemory(child.pid);
      watchdog.feed(powerOffMs);
    }
  });
  readLines(child.stderr, (line) => keep(tail, line));
  const code = await ended(child);
  watchdog.stop();
  if (code !== 0) boot.problems.push(`${command} ended with ${code}`);
  const missing = workloads.filter((w) => reader.rows[w.name]?.check === undefined).map((w) => w.name);
  if (missing.length > 0) boot.problems.push(`no result from ${missing.join(', ')}; the console ended with:\n    ${tail.join('\n    ')}`);
  return { ...boot, rows: reader.rows, stats: readStats(statsFile) };
}

function keep(tail, line) {
  tail.push(line);
  if (tail.length > TAIL_LINES) tail.shift();
}

/** Kills the child when its console has been silent for too long. */
function silenceWatchdog(child, defaultMs, boot) {
  let timer;
  const feed = (ms = defaultMs) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      boot.problems.push(`silent for ${ms / 1000} s, killed`);
      child.kill('SIGKILL');
    }, ms);
  };
  feed();
  return { feed, stop: () => clearTimeout(timer) };
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
}

function readStats(file) {
  if (!file || !existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  } finally {
    rmSync(file, { force: true });
  }
}
