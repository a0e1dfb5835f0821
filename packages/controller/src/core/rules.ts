/** Placement rules as they are kept at present; the scheduler keeps new placements to them. */
import type { RuleRecord } from './records';
import { type ClusterState, runnerOf } from './state';

/** Names of VMs that break it where they run now. */
export function brokenBy(state: ClusterState, rule: RuleRecord): string[] {
  const members = [...state.vms.values()].filter(
    ({ record: { id, spec } }) =>
      rule.vms.includes(id) ||
      rule.vms.includes(spec.name) ||
      rule.labels.some((label) => {
        const [key, value] = label.split('=', 2);
        return value === undefined ? key in spec.labels : spec.labels[key] === value;
      }),
  );
  const placed = members.flatMap((vm) => {
    const runner = runnerOf(state, vm);
    return runner ? [{ name: vm.record.spec.name, host: runner.host.record }] : [];
  });
  const group = new Set(state.groups.get(rule.group)?.hosts ?? []);
  const at = new Map<string, number>();
  for (const { host } of placed) at.set(host.id, (at.get(host.id) ?? 0) + 1);
  const most = [...at].sort((a, b) => b[1] - a[1])[0]?.[0];
  const breaks: Readonly<Record<RuleRecord['kind'], (host: { id: string; name: string }) => boolean>> = {
    together: ({ id }) => id !== most,
    apart: ({ id }) => at.get(id)! > 1,
    on: ({ id, name }) => !group.has(id) && !group.has(name),
    off: ({ id, name }) => group.has(id) || group.has(name),
  };
  return placed.filter(({ host }) => breaks[rule.kind](host)).map(({ name }) => name);
}
