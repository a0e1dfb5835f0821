/** What of this host's CPU VMs may have. */
import { cpuFacts, hostFeatures } from '@godwit/cpu';
import { loadNative } from '@godwit/metal';
import type { CpuFacts } from '@godwit/migration';
import { hostCpuidQuery } from '@godwit/vmm';
import type { AgentConfig } from '../config';
import { AgentError } from '../errors';

/** Pure. Sorted. @throws AgentError for a word that is no feature of this host */
export function allowed(has: Iterable<string>, restriction: AgentConfig['cpu']): string[] {
  const all = [...has].sort();
  if (!restriction) return all;
  const words = 'features' in restriction ? restriction.features : restriction.without;
  // A feature that is not there needs no taking away; one that is wanted and missing is a mistake.
  const unknown = 'features' in restriction ? words.filter((word) => !all.includes(word)) : [];
  if (unknown.length > 0) throw new AgentError(`cpu.features: this host's CPU has no ${unknown.join(', ')}; it has: ${all.join(' ')}`);
  return all.filter((name) => words.includes(name) === 'features' in restriction);
}

/** @throws AgentError */
export function hostCpu(restriction: AgentConfig['cpu']): CpuFacts {
  const query = hostCpuidQuery(loadNative());
  return cpuFacts(query, allowed(hostFeatures(query), restriction));
}
