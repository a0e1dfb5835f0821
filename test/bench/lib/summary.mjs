/*
 * From samples to figures: medians over the rounds, ratios between the targets,
 * means over the groups, and the list of what missed its target. Pure.
 */
import { clockSkewMs, clockSkewPercent, guestMemoryMiB, noisyRatio, systemTimesQemu, userGroups, userMeanPercent, userRowPercent } from './limits.mjs';

export function summarize(workloads, samples, options) {
  const rows = workloads.map((workload) => summarizeRow(workload, samples, options.by));
  const boot = summarizeBoot(samples, options.by);
  const means = summarizeMeans(rows);
  const problems = samples.flatMap((s) => s.problems.map((p) => `${s.target}, round ${s.round}: ${p}`));
  return {
    rounds: options.rounds, scale: options.scale, by: options.by, guestMemoryMiB,
    rows, boot, means, vmm: summarizeVmm(samples), problems,
    misses: [...rows, boot].flatMap((row) => row.misses.map((miss) => `${row.name}: ${miss}`)).concat(means.misses, problems.length > 0 ? ['a run had problems'] : []),
  };
}

function summarizeRow({ name, group }, samples, by) {
  const seen = samples.map((s) => ({ target: s.target, ...s.rows[name] })).filter((row) => row.check !== undefined);
  const row = { name, group, notes: [], misses: [] };
  for (const target of ['native', 'godwit', 'qemu']) {
    const times = seen.filter((s) => s.target === target && Number.isFinite(s.hostMs));
    if (times.length === 0) continue;
    row[`${target}Ms`] = median(times.map((s) => (by === 'cpu' ? s.cpuMs : s.hostMs)));
    row[`${target}WallMs`] = median(times.map((s) => s.hostMs));
    row[`${target}CpuMs`] = median(times.map((s) => s.cpuMs));
    row[`${target}GuestClockMs`] = median(times.map((s) => s.guestMs));
    noteDoubts(row, target, times, by);
  }
  if (new Set(seen.map((s) => `${s.check}/${s.iterations}`)).size > 1) {
    row.misses.push(`checksums differ: ${[...new Set(seen.map((s) => `${s.target} ${s.check}`))].join(', ')}`);
    return row;
  }
  return addRatios(row);
}

function noteDoubts(row, target, times, by) {
  const used = times.map((s) => (by === 'cpu' ? s.cpuMs : s.hostMs));
  if (Math.max(...used) / Math.min(...used) > noisyRatio) row.notes.push(`${target} noisy`);
  const difference = row[`${target}GuestClockMs`] - row[`${target}WallMs`];
  const skew = (100 * difference) / row[`${target}WallMs`];
  if (Math.abs(skew) > clockSkewPercent && Math.abs(difference) > clockSkewMs) row.notes.push(`${target} guest clock ${skew > 0 ? '+' : ''}${skew.toFixed(0)} %`);
}

function addRatios(row) {
  const { nativeMs, godwitMs, qemuMs } = row;
  if (nativeMs && godwitMs) row.percentOfNative = (100 * nativeMs) / godwitMs;
  if (nativeMs && qemuMs) row.qemuPercentOfNative = (100 * nativeMs) / qemuMs;
  if (qemuMs && godwitMs) row.timesQemu = qemuMs / godwitMs;
  const user = userGroups.includes(row.group);
  if (user && row.percentOfNative < userRowPercent) row.misses.push(`${row.percentOfNative.toFixed(0)} % of native, wanted ${userRowPercent} %`);
  if (!user && row.timesQemu < systemTimesQemu) row.misses.push(`slower than QEMU (${row.timesQemu.toFixed(2)} ×)`);
  return row;
}

function summarizeBoot(samples, by) {
  const of = (target) => median(samples.filter((s) => s.target === target && s.bootMs !== undefined).map((s) => (by === 'cpu' ? s.bootCpuMs : s.bootMs)));
  return addRatios({ name: 'boot', group: 'boot', notes: [], misses: [], godwitMs: of('godwit'), qemuMs: of('qemu') });
}

function summarizeMeans(rows) {
  const means = { groups: {}, misses: [] };
  const mean = (chosen, field) => geometricMean(chosen.map((row) => row[field]).filter((value) => value !== undefined));
  const add = (name, chosen) => {
    means.groups[name] = {
      percentOfNative: mean(chosen, 'percentOfNative'),
      qemuPercentOfNative: mean(chosen, 'qemuPercentOfNative'),
      timesQemu: mean(chosen, 'timesQemu'),
    };
  };
  for (const group of new Set(rows.map((row) => row.group))) add(group, rows.filter((row) => row.group === group));
  add('user', rows.filter((row) => userGroups.includes(row.group)));
  const overall = means.groups.user.percentOfNative;
  if (overall < userMeanPercent) means.misses.push(`user code: ${overall.toFixed(0)} % of native in the mean, wanted ${userMeanPercent} %`);
  return means;
}

/* What only the VMMs have: memory beyond the guest's, start-up, translation. Absent figures stay undefined. */
function summarizeVmm(samples) {
  const vmm = {};
  for (const target of ['godwit', 'qemu']) {
    const own = samples.filter((s) => s.target === target);
    if (own.length === 0) continue;
    const of = (read) => median(own.map(read).filter((value) => Number.isFinite(value)));
    const seconds = of((s) => s.stats?.translation?.seconds);
    const instructions = of((s) => s.stats?.translation?.instructions);
    vmm[target] = {
      clocksource: own.find((s) => s.clocksource)?.clocksource,
      overheadMiB: of((s) => s.memory?.overheadKiB / 1024),
      pageTablesMiB: of((s) => s.memory?.pageTablesKiB / 1024),
      guestMiB: of((s) => s.memory?.guestKiB / 1024),
      startToFirstInstructionMs: of((s) => s.stats?.startToFirstInstructionMs),
      translatedInstructions: instructions,
      translationSeconds: seconds,
      translatedInstructionsPerSecond: seconds > 0 ? instructions / seconds : undefined,
    };
  }
  return vmm;
}

export function median(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function geometricMean(values) {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
