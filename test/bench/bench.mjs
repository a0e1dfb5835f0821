/*
 * npm run bench: how fast Godwit runs guests, against the host itself and
 * against QEMU's translator. README.md beside this file says what the rows are.
 *
 * This file only parses, builds and runs. A benchmark on a shared machine drifts,
 * so the targets take turns: every round visits each target once, and a row's
 * figure is the median over the rounds.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildWorkloads, listWorkloads } from './lib/build.mjs';
import { bootGuest } from './lib/guest.mjs';
import { guestImages } from './lib/images.mjs';
import { writeInitramfs } from './lib/initramfs.mjs';
import { runNative } from './lib/native.mjs';
import { parseOptions, usage } from './lib/options.mjs';
import { cache } from './lib/paths.mjs';
import { formatReport } from './lib/report.mjs';
import { summarize } from './lib/summary.mjs';
import { godwitCommand, qemuCommand } from './lib/targets.mjs';
import { ensureTools } from './lib/tools.mjs';

const say = (line) => process.stderr.write(`bench: ${line}\n`);

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return process.stdout.write(usage);
  mkdirSync(cache, { recursive: true });
  ensureTools({ qemu: options.qemu }, say);
  const binary = buildWorkloads(say);
  const workloads = chooseWorkloads(listWorkloads(binary), options.only);
  const targets = prepareTargets(binary, workloads, options);
  const samples = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const target of targets) {
      say(`round ${round} of ${options.rounds}: ${target.name}`);
      samples.push({ round, target: target.name, ...(await target.run()) });
    }
  }
  const summary = summarize(workloads, samples, options);
  writeFileSync(join(cache, 'result.json'), `${JSON.stringify({ summary, samples }, null, 2)}\n`);
  process.stdout.write(options.json ? `${JSON.stringify(summary, null, 2)}\n` : formatReport(summary));
  if (options.check && summary.misses.length > 0) process.exitCode = 1;
}

function chooseWorkloads(all, only) {
  if (!only) return all;
  const unknown = only.filter((name) => !all.some((w) => w.name === name || w.group === name));
  if (unknown.length > 0) throw new Error(`no workload or group named ${unknown.join(', ')}; there are ${all.map((w) => w.name).join(', ')}`);
  return all.filter((w) => only.includes(w.name) || only.includes(w.group));
}

function prepareTargets(binary, workloads, options) {
  const targets = [];
  if (options.native) targets.push({ name: 'native', run: () => runNative(binary, workloads, options) });
  if (!options.godwit && !options.qemu) return targets;
  const images = guestImages(say);
  const initrd = writeInitramfs({ busybox: images.busybox, binary, workloads, scale: options.scale });
  const guest = { kernel: options.pae ? images.kernelPae : images.kernel686, initrd, workloads, options };
  if (options.godwit) targets.push({ name: 'godwit', run: () => bootGuest(godwitCommand(guest), guest) });
  if (options.qemu) targets.push({ name: 'qemu', run: () => bootGuest(qemuCommand(guest), guest) });
  return targets;
}

main().catch((error) => {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = 2;
});
