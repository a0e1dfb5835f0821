/** The kernel's figures about this host, out of /proc (proc(5), Documentation/accounting/psi.rst). The parsers are pure. */
import { readFileSync } from 'node:fs';

export interface Ticks {
  readonly busy: number;
  readonly all: number;
}

export interface Traffic {
  readonly rxBytes: number;
  readonly txBytes: number;
}

const KIB = 1024;

/** Bytes of a line of /proc/meminfo; undefined when it is not there. */
export function memoryLine(meminfo: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo);
  return match ? Number(match[1]) * KIB : undefined;
}

/** The line of all CPUs: user nice system idle iowait irq softirq steal (guest is in user already). */
export function parseTicks(stat: string): Ticks {
  const fields = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').slice(0, 8).map(Number);
  const all = fields.reduce((sum, one) => sum + (one || 0), 0);
  return { all, busy: all - (fields[3] || 0) - (fields[4] || 0) };
}

/** All interfaces but loopback and those of VMs (their bytes pass a real one, or stay on the host). */
export function parseTraffic(netDev: string): Traffic {
  let rxBytes = 0;
  let txBytes = 0;
  for (const line of netDev.split('\n').slice(2)) {
    const [name, rest] = line.split(':');
    if (rest === undefined || /^\s*(lo|godwit\d+|tap.*|veth.*)$/.test(name)) continue;
    const fields = rest.trim().split(/\s+/).map(Number);
    rxBytes += fields[0] || 0;
    txBytes += fields[8] || 0;
  }
  return { rxBytes, txBytes };
}

/** `some avg10`, 0 to 1; 0 where the kernel does not measure it. */
export function parsePressure(text: string): number {
  const match = /^some avg10=([\d.]+)/m.exec(text);
  return match ? Number(match[1]) / 100 : 0;
}

export const readProc = (name: string): string => {
  try {
    return readFileSync(`/proc/${name}`, 'utf8');
  } catch {
    return '';
  }
};
