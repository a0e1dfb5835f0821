/**
 * Admission control: a VM may start only if, should the worst `hostFailures` ready hosts then die, the memory of the
 * others could take all that is to be restarted.
 *
 * The free memory of the cluster must be at least what the worst hosts have free and run, what hosts that are not
 * ready still run, and the new VM. It is a sum over hosts, quick and independent of where the VM goes; whether each
 * VM finds one host with room for it is answered by `checkFailover`.
 */
import type { VmEntry } from './model';
import { count, mib, names } from './text';
import { capacityBytes, promisedBytes } from './usage';
import type { View } from './view';

export interface Reserve {
  /** Promised to nobody on ready hosts, bytes. */
  readonly freeBytes: number;
  /** Kept for the worst failures, and for VMs on hosts that are not ready. */
  readonly keptBytes: number;
  /** Hosts whose failure would be the worst, by name. */
  readonly worst: readonly string[];
}

export function reserveOf(view: View): Reserve {
  let freeBytes = 0;
  let keptBytes = 0;
  const losses: { name: string; bytes: number }[] = [];
  for (const host of view.hosts()) {
    const usage = view.usage(host.id);
    if (host.state === 'ready') {
      const free = Math.max(0, capacityBytes(host, view.settings) - usage.promisedBytes);
      freeBytes += free;
      losses.push({ name: host.name, bytes: free + usage.restartBytes });
    } else {
      keptBytes += host.state === 'draining' || host.state === 'maintenance' ? usage.loadBytes : usage.restartBytes;
    }
  }
  // Hosts come by name, and the sort is stable: of equals always the same.
  losses.sort((a, b) => b.bytes - a.bytes);
  const worst = losses.slice(0, view.settings.hostFailures);
  for (const { bytes } of worst) keptBytes += bytes;
  return { freeBytes, keptBytes, worst: worst.map(({ name }) => name) };
}

/** Why the VM may not start; null: it may. */
export function admissionLine(view: View, vm: VmEntry): string | null {
  const { hostFailures } = view.settings;
  if (hostFailures === 0) return null;
  const { freeBytes, keptBytes, worst } = reserveOf(view);
  const short = promisedBytes(vm) - (freeBytes - keptBytes);
  if (short <= 0) return null;
  const failure =
    hostFailures === 1 ? `if ${names(worst) || 'a host'} failed` : `if ${count(hostFailures, 'host')} failed (${names(worst)})`;
  return `with ${vm.facts.name} there would be ${mib(short)} of memory too little to restart all VMs ${failure}: stop VMs, add a host, or lower the number of failures to be borne`;
}
