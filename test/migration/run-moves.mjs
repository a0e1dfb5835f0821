/**
 * Many moves, with figures:
 *
 *   node test/migration/run-moves.mjs [--moves 10] [--load] [--node-args='--cpu-prof --cpu-prof-dir=FOLDER']
 */
import { parseArgs } from 'node:util';
import { moveAround } from './move.mjs';

const { values } = parseArgs({ options: { moves: { type: 'string', default: '10' }, load: { type: 'boolean' }, 'node-args': { type: 'string' } } });
const { records, connected, proof, fsck } = await moveAround({ moves: Number(values.moves), load: values.load, nodeArgs: values['node-args']?.split(' '), log: console.log });
const pauses = records.map(({ pauseMs }) => pauseMs).sort((a, b) => a - b);
console.log(`pause: median ${pauses[pauses.length >> 1].toFixed(1)} ms, longest ${pauses.at(-1).toFixed(1)} ms; connection ${connected ? 'held' : 'BROKEN'}`);
console.log([...proof, fsck].join('\n'));
process.exit(connected && records.every(({ outcome }) => outcome === 'completed') ? 0 : 1);
