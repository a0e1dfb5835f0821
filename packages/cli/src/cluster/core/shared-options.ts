/** Options that many commands have. */
import { usageError } from '../../errors';
import type { MigrationSettingsChange } from '@godwit/wire';
import type { Flags } from './flags';
import type { Options } from './command';

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

/** Of every command that speaks to a controller. */
export const CONNECTION: Options = {
  context: { value: 'NAME', summary: 'which cluster: a name of `godwit context ls`', complete: 'context' },
  timeout: { value: '30s', summary: 'how long to wait; what was begun goes on nevertheless' },
};

export const OUTPUT: Options = {
  output: { short: 'o', value: 'FORMAT', summary: `${FORMATS.join(', ')}; json and yaml are the messages of proto/`, choices: FORMATS },
};

export const LIST: Options = {
  ...OUTPUT,
  'no-headers': { summary: 'no line of titles' },
};

export const WATCH: Options = {
  watch: { short: 'w', summary: 'goes on and shows what changes, until Ctrl-C' },
};

/** Of commands that begin an operation. */
export const WAIT: Options = {
  ...OUTPUT,
  wait: { summary: 'waits until it is done (the default)' },
  detach: { short: 'd', summary: "does not wait: writes the operation's id to standard output" },
};

export const POLICIES = ['throttle', 'extend', 'force', 'abort'] as const;

/** Settings of a migration. */
export const SETTINGS: Options = {
  'max-pause': { value: '50ms', summary: 'how long the VM may stand still' },
  'longest-pause': { value: '250ms', summary: 'what the policy extend may extend that to' },
  bandwidth: { value: '100M', summary: 'bytes a second before the pause; unlimited for no limit' },
  policy: {
    value: 'LIST',
    summary: `${POLICIES.join(', ')}, in their order, when the guest writes faster than is sent`,
    many: true,
    choices: POLICIES,
  },
  'max-rounds': { value: 'N', summary: 'rounds before the policies decide' },
};

/** Only what was given. @throws CliError */
export function readSettings(flags: Flags): MigrationSettingsChange {
  const policies = flags.list('policy');
  for (const one of policies)
    if (!(POLICIES as readonly string[]).includes(one)) throw usageError(`--policy is a list of ${POLICIES.join(', ')}, not '${one}'`);
  const given = {
    pauseBudgetMs: flags.duration('max-pause'),
    maxPauseMs: flags.duration('longest-pause'),
    bandwidthBytesPerSecond: flags.rate('bandwidth'),
    maxRounds: flags.whole('max-rounds', 1, 1_000),
  };
  return { ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as typeof given), policies };
}
