/** The command line itself: completion, version, help. */
import { CliError, exitCodes } from '../../errors';
import { version } from '../../version';
import { SCRIPTS, type Shell, SHELLS } from '../completion/scripts';
import type { Command } from '../core/command';
import { CONNECTION, OUTPUT } from '../core/shared-options';
import { didYouMean } from '../core/suggest';
import { helpText, type Other, overview } from '../help/help';
import type { Kind } from '../output/output';

const completion: Command = {
  path: ['completion'],
  summary: 'prints a script with which a shell completes commands, options, and names of VMs, hosts and migrations',
  examples: [
    ['completion bash', 'in ~/.bashrc: source <(godwit completion bash)'],
    ['completion zsh', 'in ~/.zshrc, after compinit: source <(godwit completion zsh)'],
    ['completion fish', 'in config.fish: godwit completion fish | source'],
  ],
  args: [{ name: 'SHELL', choices: SHELLS }],
  run: async ({ args, io }) => {
    io.out(SCRIPTS[args[0] as Shell]);
    return exitCodes.ok;
  },
};

interface Versions {
  readonly client: string;
  readonly controllers?: readonly { readonly address: string; readonly version: string }[];
}

const VERSIONS: Kind<Versions> = {
  name: ({ client }) => client,
  columns: [],
  details: ({ client, controllers }) => [
    ['godwit', client],
    ['controllers', (controllers ?? []).map(({ address, version: of }) => `${address}, ${of}`)],
  ],
};

const versionCommand: Command = {
  path: ['version'],
  summary: 'the version of this command',
  examples: [
    ['version', 'of this command'],
    ['version --cluster', 'and of the controllers'],
  ],
  options: { cluster: { summary: 'asks the controllers, too' }, ...OUTPUT, ...CONNECTION },
  run: async ({ flags, output, session }) => {
    if (!flags.has('cluster')) {
      output.one(VERSIONS, { client: version });
      return exitCodes.ok;
    }
    const { controllers } = await session().ask((client, options) => client('Cluster').getStatus({}, options));
    output.one(VERSIONS, { client: version, controllers: controllers.map(({ address, version: of }) => ({ address, version: of })) });
    return exitCodes.ok;
  },
};

/** @param table asked late: this command is a row of it */
const helpCommand = (table: () => readonly Command[], others: readonly Other[]): Command => ({
  path: ['help'],
  summary: 'how a command is used',
  examples: [
    ['help', 'all commands'],
    ['help vm create', 'one of them, examples first'],
  ],
  args: [{ name: 'COMMAND', optional: true, many: true }],
  run: async ({ args, io }) => {
    const other = others.find(({ name }) => args.length === 1 && name === args[0]);
    const text = args.length === 0 ? overview(table(), others) : (other?.help ?? helpText(table(), args));
    if (text === undefined) {
      const [noun] = args;
      const among = args.length > 1 ? table().filter(({ path }) => path[0] === noun) : [];
      const hint =
        among.length > 0
          ? didYouMean(
              args[1],
              among.map(({ path }) => path[1]).filter((verb) => verb !== undefined),
              `godwit help ${noun} `,
            )
          : didYouMean(noun, [...new Set(table().map(({ path }) => path[0])), ...others.map(({ name }) => name)], 'godwit help ');
      throw new CliError(exitCodes.usage, `there is no command ${args.join(' ')}${hint || ': godwit help lists them'}`);
    }
    io.out(text);
    return exitCodes.ok;
  },
});

export const itselfCommands = (table: () => readonly Command[], others: readonly Other[]): readonly Command[] => [
  completion,
  versionCommand,
  helpCommand(table, others),
];
