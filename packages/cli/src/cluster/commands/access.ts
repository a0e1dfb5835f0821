/** Who one is, and who else may do what: login, logout, whoami, user, token. */
import type { Role } from '@godwit/wire';
import { CliError, exitCodes, usageError } from '../../errors';
import { saveContext } from '../context/file';
import type { Command, Invocation } from '../core/command';
import { LIST, OUTPUT } from '../core/shared-options';
import { askName, askSecret, confirm } from '../output/prompt';
import { localTime, wordOfEnum } from '../output/units';
import { IDENTITY_KIND, TOKEN_KIND, USER_KIND } from '../views/cluster';
import { changeOnce, readText, remote } from './shared';

const ROLES = ['view', 'operate', 'admin'] as const;
const ROLE = {
  value: ROLES.join('|'),
  summary: 'what it may do: look; also move, start and stop; also change the cluster',
  choices: ROLES,
} as const;
const PASSWORD_FILE = { value: 'FILE', summary: 'its first line; - for standard input', complete: 'file' } as const;
const roleOf = ({ flags }: Invocation): Role =>
  flags.has('role') ? (`ROLE_${flags.text('role')!.toUpperCase()}` as Role) : 'ROLE_UNSPECIFIED';

async function passwordOf(given: Invocation, question: string): Promise<string> {
  const file = given.flags.text('password-file');
  if (file === undefined) return askSecret(given.io, question);
  const [line] = (await readText(given, file)).split(/\r?\n/);
  if (line === '') throw new CliError(exitCodes.usage, `there is no password in the first line of ${file}`);
  return line;
}

const login: Command = {
  path: ['login'],
  summary: 'logs in with a name and a password; the context keeps the session',
  about: ['Not needed in a context that has a certificate. Without a terminal the password is read from standard input.'],
  examples: [
    ['login --user alice', 'asks for the password'],
    ['login --user alice --password-file -', 'reads it from standard input'],
  ],
  options: { user: { short: 'u', value: 'NAME', summary: 'who', complete: 'user' }, 'password-file': PASSWORD_FILE },
  run: async (given) => {
    const { flags, io, session } = given;
    const { chosen } = session();
    const user = flags.text('user') ?? (await askName(io, 'user: '));
    if (user === '') throw usageError('--user is missing: godwit login --user NAME');
    const password = await passwordOf(given, `password of ${user}: `);
    const { token, identity } = await session().ask((client, options) => client('Access').login({ user, password }, options));
    saveContext(chosen.file, chosen.name, { ...chosen.context, token });
    io.say(`${user} is logged in to ${chosen.name} until ${localTime(identity?.endsAtMs ?? 0)}`);
    return exitCodes.ok;
  },
};

const logout: Command = {
  path: ['logout'],
  summary: 'ends the session of the context',
  examples: [['logout', 'here and at the controller']],
  run: async ({ io, session }) => {
    const { chosen } = session();
    const { token, ...context } = chosen.context;
    if (token === undefined) throw new CliError(exitCodes.precondition, `nobody is logged in to ${chosen.name}`);
    await session().ask((client, options) => client('Access').logout({}, options));
    saveContext(chosen.file, chosen.name, context);
    io.say(`logged out of ${chosen.name}`);
    return exitCodes.ok;
  },
};

const whoami: Command = {
  path: ['whoami'],
  summary: 'who one is to the controller, with which role',
  examples: [['whoami', 'by certificate, session or token']],
  options: OUTPUT,
  run: async ({ output, session }) => {
    output.one(IDENTITY_KIND, await session().ask((client, options) => client('Access').whoAmI({}, options)));
    return exitCodes.ok;
  },
};

const userLs: Command = {
  path: ['user', 'ls'],
  summary: 'lists users',
  examples: [['user ls', 'who may log in, with which role']],
  options: LIST,
  run: async ({ output, session }) => {
    const { users } = await session().ask((client, options) => client('Access').listUsers({}, options));
    output.list(USER_KIND, users, 'there are no users: godwit user add NAME --role view');
    return exitCodes.ok;
  },
};

const putUser = (verb: 'add' | 'change', summary: string, examples: Command['examples']): Command => ({
  path: ['user', verb],
  summary,
  about: ['A password has at least 8 characters. Without a terminal it is read from standard input.'],
  examples,
  args: [{ name: 'NAME', ...(verb === 'change' ? { complete: 'user' as const } : {}) }],
  options: {
    role: ROLE,
    'password-file': PASSWORD_FILE,
    ...(verb === 'change' ? { password: { summary: 'asks for a new password' } } : {}),
    ...OUTPUT,
  },
  run: async (given) => {
    const { args, flags, io, output, session } = given;
    const [name] = args;
    const { users } = await session().ask((client, options) => client('Access').listUsers({}, options));
    const before = users.find((one) => one.name === name);
    if (verb === 'add' && before) throw new CliError(exitCodes.precondition, `there is a user ${name} already: godwit user change ${name}`);
    if (verb === 'change' && !before) throw new CliError(exitCodes.notFound, `there is no user ${name}: godwit user add ${name}`);
    if (verb === 'add' && !flags.has('role')) throw usageError(`--role is missing: ${ROLES.join(', ')}`);
    const asks = verb === 'add' || flags.has('password') || flags.has('password-file');
    if (!asks && !flags.has('role')) throw usageError('nothing is to be changed: --role or --password');
    const password = asks ? await passwordOf(given, `new password of ${name}: `) : '';
    const user = await changeOnce(given, (client, options) => client('Access').putUser({ name, role: roleOf(given), password }, options));
    io.say(`${name} has the role ${wordOfEnum(user.role, 'ROLE_')}`);
    output.result(user, (one) => one.name);
    return exitCodes.ok;
  },
});

const userRm: Command = {
  path: ['user', 'rm'],
  summary: 'removes a user and ends its sessions',
  examples: [['user rm alice', 'at once']],
  args: [{ name: 'NAME', complete: 'user' }],
  options: { yes: { short: 'y', summary: 'does not ask' } },
  run: async (given) => {
    const [name] = given.args;
    if (!given.flags.has('yes') && !(await confirm(given.io, `remove the user ${name}?`)))
      throw new CliError(exitCodes.failed, 'nothing was removed');
    await changeOnce(given, (client, options) => client('Access').removeUser({ name }, options));
    given.io.say(`the user ${name} was removed`);
    return exitCodes.ok;
  },
};

const tokenLs: Command = {
  path: ['token', 'ls'],
  summary: 'lists the tokens of programs',
  examples: [['token ls', 'without their secrets']],
  options: LIST,
  run: async ({ output, session }) => {
    const { tokens } = await session().ask((client, options) => client('Access').listTokens({}, options));
    output.list(TOKEN_KIND, tokens, 'there are no tokens: godwit token add NAME --role view');
    return exitCodes.ok;
  },
};

const tokenAdd: Command = {
  path: ['token', 'add'],
  summary: 'makes a token for a program',
  about: [
    'It is written to standard output, this once. Programs send it as `authorization: Bearer TOKEN`; in a context it stands as --token-file.',
  ],
  examples: [['token add backup --role operate --valid 720h', 'for thirty days']],
  args: [{ name: 'NAME' }],
  options: { role: ROLE, valid: { value: '720h', summary: 'how long (without it: a year)' }, ...OUTPUT },
  run: async (given) => {
    const { args, flags, io, output } = given;
    if (!flags.has('role')) throw usageError(`--role is missing: ${ROLES.join(', ')}`);
    const made = await changeOnce(given, (client, options) =>
      client('Access').createToken({ name: args[0], role: roleOf(given), validMs: flags.duration('valid') ?? 0 }, options),
    );
    if (output.forPeople) io.out(`${made.token}\n`);
    else output.result(made, ({ token }) => token);
    io.say(`the token ${args[0]} is valid until ${localTime(made.endsAtMs)}; it is shown this once`);
    return exitCodes.ok;
  },
};

const tokenRm: Command = {
  path: ['token', 'rm'],
  summary: 'revokes a token',
  examples: [['token rm 3f0c9a12', 'by the beginning of its id, as godwit token ls shows it; or by its name']],
  args: [{ name: 'TOKEN', complete: 'token' }],
  run: async (given) => {
    const [word] = given.args;
    const { tokens } = await given.session().ask((client, options) => client('Access').listTokens({}, options));
    const meant = tokens.filter(({ tokenId, name }) => tokenId.startsWith(word) || name === word);
    if (meant.length === 0) throw new CliError(exitCodes.notFound, `there is no token ${word}: godwit token ls`);
    if (meant.length > 1)
      throw new CliError(exitCodes.usage, `${word} may be one of ${meant.map(({ tokenId }) => tokenId.slice(0, 12)).join(', ')}`);
    await changeOnce(given, (client, options) => client('Access').revokeToken({ tokenId: meant[0].tokenId }, options));
    given.io.say(`the token ${meant[0].name} was revoked`);
    return exitCodes.ok;
  },
};

export const accessCommands: readonly Command[] = [
  login,
  logout,
  whoami,
  userLs,
  putUser('add', 'makes a user', [['user add alice --role operate', 'asks for a password']]),
  putUser('change', 'changes the role or password of a user', [
    ['user change alice --role admin', 'at once, also for sessions under way'],
    ['user change alice --password', 'asks for the new one'],
  ]),
  userRm,
  tokenLs,
  tokenAdd,
  tokenRm,
].map(remote);
