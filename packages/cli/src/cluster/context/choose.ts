/**
 * Which context is in force. In this order:
 *
 *   --context NAME, $GODWIT_CONTEXT     by name, in any of the files below
 *   the checkout's                      where `npm run up` runs in the checkout around the working folder; not with $GODWIT_CONFIG
 *   `current` of the user's file        $GODWIT_CONFIG, or godwit/config.yaml under $XDG_CONFIG_HOME or ~/.config
 */
import { CliError, exitCodes } from '../../errors';
import { didYouMean } from '../core/suggest';
import { type Context, findCheckoutConfig, readContexts, userConfigFile } from './file';

type Env = Readonly<Record<string, string | undefined>>;

export interface Chosen {
  readonly name: string;
  readonly context: Context;
  readonly file: string;
  /** Of the checkout around the working folder. */
  readonly isCheckout: boolean;
}

export interface Listed extends Chosen {
  readonly inForce: boolean;
}

/** @param wanted of --context @throws CliError that says how to make one */
export function chooseContext(env: Env, folder: string, wanted: string | undefined): Chosen {
  const all = listContexts(env, folder, wanted);
  const found = all.find(({ inForce }) => inForce);
  if (found) return found;
  const name = wanted ?? (env.GODWIT_CONTEXT || undefined);
  if (name === undefined)
    throw new CliError(
      exitCodes.precondition,
      all.length > 0
        ? `no context is chosen: godwit context use ${all[0].name}`
        : 'there is no cluster yet: npm run up starts one here; godwit context add NAME --controller HOST:PORT --certificates FOLDER names another',
    );
  const names = all.map((one) => one.name);
  throw new CliError(
    exitCodes.notFound,
    `there is no context ${name}${didYouMean(name, names)}${names.length > 0 ? ` (there are: ${names.join(', ')})` : ': godwit context add'}`,
  );
}

export function listContexts(env: Env, folder: string, wanted?: string): Listed[] {
  const userFile = userConfigFile(env);
  const checkoutFile = env.GODWIT_CONFIG ? undefined : findCheckoutConfig(folder);
  const files = [...(checkoutFile ? [{ file: checkoutFile, isCheckout: true }] : []), { file: userFile, isCheckout: false }];
  const read = files.map((one) => ({ ...one, ...readContexts(one.file) }));
  const all = read.flatMap(({ file, isCheckout, contexts }) =>
    Object.entries(contexts).map(([name, context]) => ({ name, context, file, isCheckout })),
  );
  const name = wanted ?? (env.GODWIT_CONTEXT || undefined);
  const current = read.find((one) => one.current !== undefined && one.contexts[one.current]);
  const isInForce = (one: Chosen): boolean =>
    name === undefined ? one.file === current?.file && one.name === current.current : one.name === name;
  const first = all.find(isInForce);
  return all.map((one) => ({ ...one, inForce: one === first }));
}
