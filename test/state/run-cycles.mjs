/**
 * Many cycles, with figures:
 *
 *   node test/state/run-cycles.mjs [--cycles 100] [--seed 1] [--adapter virtio|ide] [--nic virtio|pcnet]
 */
import { parseArgs } from 'node:util';
import { suspendCycles } from './cycles.mjs';

const { values } = parseArgs({ options: { cycles: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' }, adapter: { type: 'string' }, nic: { type: 'string' } } });
const result = await suspendCycles({ ...values, cycles: Number(values.cycles), seed: Number(values.seed), log: console.log });
const sorted = result.suspendMs.toSorted((a, b) => a - b);
console.log(result.proof.join('\n'));
console.log(`${result.cycles} cycles; suspending took ${Math.round(sorted[sorted.length >> 1])} ms in the median, ${Math.round(sorted.at(-1))} ms at most; the guest's clock is ${result.clockOffMs} ms behind`);
process.exit(result.proof.at(-1) === 'proof: whole' ? 0 : 1);
