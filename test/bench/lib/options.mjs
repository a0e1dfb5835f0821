/* The command line of `npm run bench -- …`. */
import { parseArgs } from 'node:util';

export const usage = `Usage: npm run bench -- [options]
  --rounds N       rounds over all targets (default 5)
  --only A,B       only these workloads or groups (integer, fp, memory, system)
  --scale X        length of each workload, 1 is 0.2 to 0.4 s on the host (default 1)
  --no-native      leave a target out
  --no-godwit
  --no-qemu
  --pae            boot the PAE kernel instead of the one with two-level paging
  --qemu-cpu NAME  QEMU's -cpu (default max)
  --timeout S      give a guest up that is silent for so long (default 120)
  --by wall|cpu    compare elapsed time (default) or the CPU time of the whole VMM
  --json           the summary as JSON on standard output
  --check          exit status 1 if a row misses its target
Everything measured is kept in .cache/bench/result.json.
`;

export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    allowNegative: false,
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string' },
      scale: { type: 'string', default: '1' },
      'no-native': { type: 'boolean', default: false },
      'no-godwit': { type: 'boolean', default: false },
      'no-qemu': { type: 'boolean', default: false },
      pae: { type: 'boolean', default: false },
      'qemu-cpu': { type: 'string', default: 'max' },
      timeout: { type: 'string', default: '120' },
      by: { type: 'string', default: 'wall' },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    rounds: positive('rounds', values.rounds),
    only: values.only?.split(','),
    scale: positive('scale', values.scale),
    native: !values['no-native'],
    godwit: !values['no-godwit'],
    qemu: !values['no-qemu'],
    pae: values.pae,
    qemuCpu: values['qemu-cpu'],
    timeoutSeconds: positive('timeout', values.timeout),
    by: oneOf('by', values.by, ['wall', 'cpu']),
    json: values.json,
    check: values.check,
    help: values.help,
  };
}

function oneOf(name, value, choices) {
  if (!choices.includes(value)) throw new Error(`--${name} wants ${choices.join(' or ')}, not '${value}'`);
  return value;
}

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} wants a positive number, not '${text}'`);
  return value;
}
