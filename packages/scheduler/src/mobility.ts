/** How far a VM could move on from a host, were it shown that host's CPU: the share of the other ready hosts that have all of it. */
import type { CpuModel } from './compatibility-memory';
import type { HostEntry } from './model';
import type { View } from './view';

/** Null: it is not known, or does not matter. */
export type Mobility = (host: HostEntry) => number | null;

/** CPU models beyond which it is not worked out: clusters have a handful. */
const MAX_MODELS = 64;

export function mobilityOf(view: View): Mobility {
  const hostsOf = new Map<CpuModel, number>();
  let ready = 0;
  for (const { state, facts } of view.hosts()) {
    if (state !== 'ready' || !facts) continue;
    ready++;
    const model = view.memory.model(facts.cpu);
    hostsOf.set(model, (hostsOf.get(model) ?? 0) + 1);
  }
  if (ready < 2 || hostsOf.size > MAX_MODELS) return () => null;
  const shares = new Map<CpuModel, number>();
  for (const model of hostsOf.keys()) {
    let hosts = -1;
    for (const [other, number] of hostsOf) if (holds(other, model)) hosts += number;
    shares.set(model, hosts / (ready - 1));
  }
  return ({ facts }) => (facts ? (shares.get(view.memory.model(facts.cpu)) ?? null) : null);
}

function holds(there: CpuModel, given: CpuModel): boolean {
  if (there === given) return true;
  if (there.vendor !== given.vendor || there.xsaveBytes < given.xsaveBytes || there.features.size < given.features.size) return false;
  for (const name of given.features) if (!there.features.has(name)) return false;
  return true;
}
