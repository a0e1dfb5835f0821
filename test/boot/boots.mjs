/**
 * Boots both kernels again and again and counts failures: node test/boot/boots.mjs [COUNT] [ENGINE]
 * Every boot must reach init, run a command with a known answer, and power off.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const { ensureGuestImages, buildInitramfs, runParameter } = createRequire(import.meta.url)(path.join(root, 'packages/images/dist/index.js'));
const count = Number(process.argv[2] ?? 20);
const engine = process.argv[3] ?? 'translate';
const cache = path.join(root, '.cache', 'images');
const images = await ensureGuestImages(cache);
const initrd = path.join(cache, 'boots-initrd.gz');
writeFileSync(initrd, buildInitramfs({ busybox: images.busybox }));

let failed = 0;
for (let i = 0; i < count; i++) {
  const kernel = i % 2 ? 'kernelPae' : 'kernel686';
  const started = Date.now();
  const args = [path.join(root, 'packages/cli/dist/main.js'), 'run', '--engine', engine, '--kernel', images[kernel], '--initrd', initrd];
  args.push('--append', `console=ttyS0 quiet ${runParameter('seq 1 1000 | sha256sum')}`);
  const r = spawnSync(process.execPath, args, { encoding: 'latin1', input: '', timeout: engine === 'interpret' ? 1_200_000 : 120_000 });
  const good = r.status === 0 && r.stdout.includes('67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f');
  if (!good) failed++;
  console.log(`boot ${i + 1} of ${count}: ${kernel} ${good ? 'ok' : `FAILED (status ${r.status})`} ${((Date.now() - started) / 1000).toFixed(1)} s`);
  if (!good) console.log(r.stdout.slice(-3000), r.stderr.slice(-1000));
}
console.log(`${count - failed} of ${count} boots without failure`);
process.exitCode = failed ? 1 : 0;
