/**
 * Contexts: which clusters there are and how they are reached, as kubectl keeps them. One YAML file:
 *
 *   current: prod
 *   contexts:
 *     prod:
 *       controllers: [ctl-1:7443, ctl-2:7443]   # or unix:/PATH
 *       certificates: prod                      # folder with cert.pem, key.pem, ca.pem; relative to this file
 *     guest:
 *       controllers: [ctl-1:7443]
 *       ca: guest/ca.pem                        # without a certificate of one's own: the cluster's CA, and
 *       token: godwit_session_…                 # what `godwit login` was given, or a program's token
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { CliError, exitCodes } from '../../errors';
import { MAX_FILE_BYTES } from '../core/limits';

export interface Context {
  readonly controllers: readonly string[];
  /** Folder with cert.pem, key.pem, ca.pem. */
  readonly certificates?: string;
  /** File with the CA, for a context without certificates. */
  readonly ca?: string;
  /** Secret. */
  readonly token?: string;
}

export interface ContextFile {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

type Env = Readonly<Record<string, string | undefined>>;
const EMPTY: ContextFile = { contexts: {} };
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** $GODWIT_CONFIG, else godwit/config.yaml in the XDG configuration folder. */
export function userConfigFile(env: Env = process.env): string {
  if (env.GODWIT_CONFIG) return path.resolve(env.GODWIT_CONFIG);
  const base =
    env.XDG_CONFIG_HOME && path.isAbsolute(env.XDG_CONFIG_HOME) ? env.XDG_CONFIG_HOME : path.join(env.HOME ?? homedir(), '.config');
  return path.join(base, 'godwit', 'config.yaml');
}

/** What `npm run up` keeps while it runs in the checkout at `root`. */
export const checkoutConfigFile = (root: string): string => path.join(root, '.cache', 'up', 'config.yaml');

/** That of the checkout in which `folder` lies, if `npm run up` runs there. Somebody else's file is not looked at. */
export function findCheckoutConfig(folder: string): string | undefined {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const file = checkoutConfigFile(at);
    const uid = process.getuid?.();
    if (existsSync(file) && statSync(file).uid === uid) return file;
    if (at === path.dirname(at)) return undefined;
  }
}

/** Without contexts if there is no such file. Paths in it come absolute. @throws CliError */
export function readContexts(file: string): ContextFile {
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw new Error('it is too large');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw new CliError(exitCodes.precondition, `the contexts in ${file} cannot be read: ${(error as Error).message}`);
  }
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch (error) {
    throw damaged(file, (error as Error).message.split('\n')[0]);
  }
  return checked(file, value);
}

/** Makes or replaces a context. @param use from now on the current one */
export function saveContext(file: string, name: string, context: Context, { use = false } = {}): void {
  if (!NAME.test(name)) throw new CliError(exitCodes.usage, `'${name}' is no name of a context: letters, digits and . _ -, 63 at most`);
  const { current, contexts } = readContexts(file);
  write(file, { current: use || current === undefined ? name : current, contexts: { ...contexts, [name]: context } });
}

/** False: there was none. */
export function removeContext(file: string, name: string): boolean {
  const { current, contexts } = readContexts(file);
  if (!Object.hasOwn(contexts, name)) return false;
  const { [name]: _, ...rest } = contexts;
  write(file, { current: current === name ? undefined : current, contexts: rest });
  return true;
}

export function useContext(file: string, name: string): void {
  write(file, { ...readContexts(file), current: name });
}

function checked(file: string, value: unknown): ContextFile {
  if (!isRecord(value) || (value.contexts !== undefined && !isRecord(value.contexts)))
    throw damaged(file, '`contexts` is to be a map of names');
  const contexts = Object.entries((value.contexts ?? {}) as Record<string, unknown>).map(
    ([name, one]) => [name, context(file, name, one)] as const,
  );
  return { current: typeof value.current === 'string' ? value.current : undefined, contexts: Object.fromEntries(contexts) };
}

function context(file: string, name: string, value: unknown): Context {
  const fault = (line: string): CliError => damaged(file, `context ${name}: ${line}`);
  if (!isRecord(value)) throw fault('it is to have `controllers`');
  const { controllers, certificates, ca, token } = value;
  if (!Array.isArray(controllers) || controllers.length === 0 || !controllers.every((one) => typeof one === 'string'))
    throw fault('`controllers` is to be a list of HOST:PORT or unix:/PATH');
  for (const [key, one] of Object.entries({ certificates, ca, token }))
    if (one !== undefined && typeof one !== 'string') throw fault(`\`${key}\` is to be text`);
  const absolute = (one: unknown): string | undefined => (typeof one === 'string' ? path.resolve(path.dirname(file), one) : undefined);
  return {
    controllers: controllers as string[],
    ...defined({ certificates: absolute(certificates), ca: absolute(ca), token: token as string | undefined }),
  };
}

/** As a whole, for its owner alone: it may hold tokens. Paths in its folder are written relative to it. */
function write(file: string, { current, contexts }: ContextFile): void {
  const folder = path.dirname(file);
  const relative = (one: string | undefined): string | undefined =>
    one === undefined
      ? undefined
      : path.resolve(one).startsWith(`${folder}/`)
        ? path.relative(folder, path.resolve(one))
        : path.resolve(one);
  const entries = Object.entries(contexts).map(([name, one]) => [
    name,
    { ...one, ...defined({ certificates: relative(one.certificates), ca: relative(one.ca) }) },
  ]);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, stringify({ ...defined({ current }), contexts: Object.fromEntries(entries) }), { mode: 0o600 });
  chmodSync(fresh, 0o600);
  renameSync(fresh, file);
}

const damaged = (file: string, why: string): CliError =>
  new CliError(exitCodes.precondition, `${file} is damaged: ${why}: mend it, or move it away and add the context anew`);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const defined = <T extends object>(of: T): Partial<T> =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as Partial<T>;
