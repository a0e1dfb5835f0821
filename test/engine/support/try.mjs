/** By hand: `node test/engine/support/try.mjs NAME [mode] [trace]` shows what a guest prints beside what it promises. */
import { assemble, readGuest, runGuest } from './guest.mjs';

const [name, only, trace] = process.argv.slice(2);
const guest = readGuest(`${name}.s`);
const bytes = assemble(guest.source);
for (const mode of only ? [only] : ['interpret', 'translate']) {
  const started = Date.now();
  const { lines, outcome, stderr, stats } = await runGuest(bytes, { mode, seconds: 6, ...guest.options, ...(trace ? { trace: [trace] } : {}) });
  console.log(`--- ${name} ${mode}: ${outcome.kind} ${outcome.detail} (${Date.now() - started} ms)`);
  if (stderr) console.log(stderr.slice(0, 4000));
  let wrong = 0;
  for (let n = 0; n < Math.max(lines.length, guest.expected.length) && wrong < 12; n++) {
    const ok = lines[n] === guest.expected[n];
    if (!ok) wrong++;
    console.log(`${ok ? ' ' : 'X'} ${(lines[n] ?? '(nothing)').padEnd(50)} ${ok ? '' : guest.expected[n] ?? '(nothing)'}`);
  }
  if (trace) console.log(JSON.stringify(stats, null, 1));
}
