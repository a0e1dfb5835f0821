/*
 * What the workload binary prints, read the same way from a process and from a
 * serial port: "begin X", "done X", "result X ns=… cpu=… check=… iterations=…". Each
 * line is stamped with the host's clock as it arrives, and, where the caller can
 * tell it, with the CPU time that the VMM has used up to then.
 */
import { performance } from 'node:perf_hooks';

const result = /result (\S+) ns=(\d+) cpu=(\d+) check=([0-9a-f]{8}) iterations=(\d+)/;

/** Collects rows: { [name]: { hostMs, cpuMs, guestMs, guestCpuMs, check, iterations } }. */
export class RowReader {
  rows = {};
  #begun = new Map();

  line(text, at, cpu = () => undefined) {
    const marker = /(begin|done) (\S+)$/.exec(text);
    if (marker) return this.#mark(marker[1], marker[2], at, cpu());
    const match = result.exec(text);
    if (!match) return;
    const [, name, ns, guestCpu, check, iterations] = match;
    this.rows[name] = { ...this.rows[name], guestMs: Number(ns) / 1e6, guestCpuMs: Number(guestCpu) / 1e6, check, iterations: Number(iterations) };
  }

  #mark(kind, name, at, cpuMs) {
    if (kind === 'begin') this.#begun.set(name, { at, cpuMs });
    const begun = this.#begun.get(name);
    if (kind === 'done' && begun) this.rows[name] = { hostMs: at - begun.at, cpuMs: cpuMs - begun.cpuMs };
  }
}

/** Calls onLine(text, hostMilliseconds) for each line of a stream. */
export function readLines(stream, onLine) {
  let rest = '';
  stream.setEncoding('latin1');
  stream.on('data', (chunk) => {
    const at = performance.now();
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) onLine(line.replace(/\r+$/, ''), at);
  });
}
