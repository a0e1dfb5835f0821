/*
 * What a VMM costs beyond the guest's RAM. Proportional sizes (Pss) count a page
 * once however many mappings show it, which matters where guest pages appear in
 * several windows. The guest's RAM is told from the rest by its mapping: a memfd
 * named for it, or, in QEMU, one anonymous mapping of exactly its size.
 */
import { readFileSync } from 'node:fs';
import { guestMemoryMiB } from './limits.mjs';

const header = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/;

/** → { residentKiB, guestKiB, overheadKiB, pageTablesKiB }, or undefined if the process is gone. */
export function processMemory(pid) {
  try {
    const { total, guest } = sumMappings(readFileSync(`/proc/${pid}/smaps`, 'latin1'));
    const pageTablesKiB = Number(/VmPTE:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
    return { residentKiB: total, guestKiB: guest, overheadKiB: total - guest, pageTablesKiB };
  } catch {
    return undefined;
  }
}

function sumMappings(smaps) {
  let total = 0;
  let guest = 0;
  let name = '';
  let sizeKiB = 0;
  for (const line of smaps.split('\n')) {
    const mapping = header.exec(line);
    if (mapping) name = mapping[1];
    else if (line.startsWith('Size:')) sizeKiB = Number.parseInt(line.slice(5), 10);
    else if (line.startsWith('Pss:')) {
      const pss = Number.parseInt(line.slice(4), 10);
      total += pss;
      if (isGuestRam(name, sizeKiB)) guest += pss;
    }
  }
  return { total, guest };
}

function isGuestRam(name, sizeKiB) {
  return /memfd:[^ ]*(guest|ram|memory)/i.test(name) || (name === '' && sizeKiB === guestMemoryMiB * 1024);
}
