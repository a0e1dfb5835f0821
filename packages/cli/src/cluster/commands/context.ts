/** `godwit context …`: which clusters there are, and how they are reached. No controller is asked. */
import path from 'node:path';
import { existsSync } from 'node:fs';
import { CliError, exitCodes, usageError } from '../../errors';
import { type Listed, listContexts } from '../context/choose';
import { readContexts, removeContext, saveContext, useContext, userConfigFile } from '../context/file';
import type { Command, Invocation } from '../core/command';
import { LIST } from '../core/shared-options';
import { didYouMean } from '../core/suggest';
import type { Kind } from '../output/output';
import { readText } from './shared';

/** How the controller knows who asks. */
const by = ({ context: { certificates, token, controllers } }: Listed): string => {
  if (token !== undefined) return 'token';
  if (certificates !== undefined) return 'certificate';
  return controllers.every((one) => one.startsWith('unix:')) ? 'socket' : 'nobody';
};

const KIND: Kind<Listed> = {
  name: ({ name }) => name,
  columns: [
    { title: '', cell: ({ inForce }) => (inForce ? '*' : ' ') },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'CONTROLLERS', cell: ({ context }) => context.controllers.join(',') },
    { title: 'BY', cell: by },
    { title: 'FROM', cell: ({ isCheckout, file }) => (isCheckout ? 'npm run up, here' : file) },
  ],
};

const NAME = { name: 'NAME', complete: 'context' } as const;

const ls: Command = {
  path: ['context', 'ls'],
  summary: 'lists contexts; * marks the one in force',
  about: [
    'Which one is in force: --context or $GODWIT_CONTEXT; else, inside a checkout in which npm run up runs, that cluster; else the one chosen with godwit context use. They stand in $GODWIT_CONFIG, or godwit/config.yaml under $XDG_CONFIG_HOME or ~/.config.',
  ],
  examples: [['context ls', 'clusters, and how they are reached']],
  options: LIST,
  run: async ({ io, output }) => {
    // What is secret is not shown.
    const all = listContexts(io.env, io.folder).map((one) => ({
      ...one,
      context: { ...one.context, ...(one.context.token === undefined ? {} : { token: '(secret)' }) },
    }));
    output.list(
      KIND,
      all,
      'there are no contexts: npm run up makes one here; godwit context add NAME --controller HOST:PORT --certificates FOLDER',
    );
    return exitCodes.ok;
  },
};

/** @throws CliError if the user's file has none of that name */
function checkKnown({ io }: Invocation, file: string, name: string): void {
  const names = Object.keys(readContexts(file).contexts);
  if (names.includes(name)) return;
  const other = listContexts(io.env, io.folder).find((one) => one.name === name);
  if (other)
    throw new CliError(
      exitCodes.precondition,
      `the context ${name} is that of npm run up, which keeps it: outside the checkout use --context`,
    );
  throw new CliError(exitCodes.notFound, `there is no context ${name}${didYouMean(name, names)}`);
}

const use: Command = {
  path: ['context', 'use'],
  summary: 'chooses the context for this and later commands',
  examples: [['context use prod', 'until another one is chosen']],
  args: [NAME],
  run: async (given) => {
    const { args, io } = given;
    const [name] = args;
    const file = userConfigFile(io.env);
    checkKnown(given, file, name);
    useContext(file, name);
    const inForce = listContexts(io.env, io.folder).find((one) => one.inForce);
    io.say(
      inForce?.name === name
        ? `${name} is in force`
        : `${name} is chosen; here ${inForce?.name ?? 'none'} is in force${inForce?.isCheckout ? ', as npm run up runs in this checkout' : ''}`,
    );
    return exitCodes.ok;
  },
};

const add: Command = {
  path: ['context', 'add'],
  summary: 'adds a context, or replaces the one of that name',
  about: ['Nothing is connected: godwit whoami --context NAME tries it.'],
  examples: [
    ['context add prod --controller ctl-1:7443 --controller ctl-2:7443 --certificates ~/godwit/prod', 'with a certificate'],
    ['context add prod --controller ctl-1:7443 --ca ca.pem', 'without one: godwit login'],
    ['context add ci --controller ctl-1:7443 --ca ca.pem --token-file token', "with a program's token"],
  ],
  args: [{ name: 'NAME' }],
  options: {
    controller: { value: 'HOST:PORT', summary: 'or unix:/PATH; may be repeated: whichever answers and leads is asked', many: true },
    certificates: { value: 'FOLDER', summary: 'with cert.pem, key.pem and ca.pem', complete: 'folder' },
    ca: { value: 'FILE', summary: "the cluster's CA, for a context without certificates", complete: 'file' },
    'token-file': { value: 'FILE', summary: 'its first line is the token; - for standard input', complete: 'file' },
    use: { summary: 'and chooses it' },
  },
  run: async (given) => {
    const { args, flags, io } = given;
    const [name] = args;
    const controllers = flags.list('controller');
    if (controllers.length === 0) throw usageError('--controller is missing: --controller HOST:PORT');
    for (const one of controllers)
      if (!/^(unix:\/.+|\[[0-9a-fA-F:]+\]:\d{1,5}|[^\s:/]+:\d{1,5})$/.test(one))
        throw usageError(`--controller is HOST:PORT or unix:/PATH, not '${one}'`);
    const [certificates, ca, tokenFile] = [flags.text('certificates'), flags.text('ca'), flags.text('token-file')];
    if (certificates !== undefined && ca !== undefined)
      throw usageError('--certificates and --ca exclude each other: the folder has a ca.pem');
    if (certificates === undefined && ca === undefined && controllers.some((one) => !one.startsWith('unix:')))
      throw usageError('--certificates or --ca is missing: how else would one know that it is the right controller?');
    const absolute = (file: string): string => path.resolve(io.folder, file);
    for (const file of certificates === undefined
      ? ca === undefined
        ? []
        : [ca]
      : ['cert.pem', 'key.pem', 'ca.pem'].map((one) => path.join(certificates, one)))
      if (!existsSync(absolute(file))) throw new CliError(exitCodes.notFound, `there is no ${absolute(file)}`);
    const token = tokenFile === undefined ? undefined : (await readText(given, tokenFile)).split(/\r?\n/)[0];
    saveContext(
      userConfigFile(io.env),
      name,
      {
        controllers,
        ...(certificates === undefined ? {} : { certificates: absolute(certificates) }),
        ...(ca === undefined ? {} : { ca: absolute(ca) }),
        ...(token === undefined ? {} : { token }),
      },
      { use: flags.has('use') },
    );
    io.say(`the context ${name} stands in ${userConfigFile(io.env)}; godwit whoami --context ${name} tries it`);
    return exitCodes.ok;
  },
};

const rm: Command = {
  path: ['context', 'rm'],
  summary: 'removes a context; its certificates stay',
  examples: [['context rm prod', 'the cluster itself is not touched']],
  args: [NAME],
  run: async (given) => {
    const { args, io } = given;
    const [name] = args;
    const file = userConfigFile(io.env);
    checkKnown(given, file, name);
    removeContext(file, name);
    io.say(`the context ${name} was removed`);
    return exitCodes.ok;
  },
};

export const contextCommands: readonly Command[] = [ls, use, add, rm];
