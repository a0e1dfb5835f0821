import path from 'node:path';
import { parseArgs } from 'node:util';
import { usageError } from '../errors';
import { MAX_HOSTS, MAX_VMS } from './limits';

export interface UpOptions {
  /** Where it keeps disks, logs and the context; undefined: .cache/up of the checkout, where godwit looks for a context. */
  readonly home: string | undefined;
  readonly hosts: number;
  readonly vms: number;
  readonly memoryMiB: number;
  /** The datastore on an NFS server of its own. */
  readonly nfs: boolean;
  /** First choice; the next free one is taken when nobody asked for it by name. */
  readonly controllerPort: Port;
  readonly httpPort: Port;
  /** Of the first guest; the others follow. */
  readonly guestPort: Port;
}

export interface Port {
  readonly port: number;
  /** By the command line: no other will do. */
  readonly isAsked: boolean;
}

/** @throws CliError of usage */
export function parseUpOptions(argv: readonly string[]): UpOptions {
  const text = { type: 'string' } as const;
  let values: Readonly<Record<string, string | undefined>>;
  let nfs: boolean | undefined;
  try {
    const { nfs: asked, ...rest } = parseArgs({
      args: [...argv],
      options: {
        nfs: { type: 'boolean' },
        hosts: text,
        vms: text,
        memory: text,
        port: text,
        'http-port': text,
        'guest-port': text,
        home: text,
      },
    }).values;
    [values, nfs] = [rest, asked];
  } catch (error) {
    throw usageError(
      `npm run up: ${(error as Error).message.split('. ')[0]}; it knows --hosts, --vms, --memory, --nfs, --port, --http-port, --guest-port, --home`,
    );
  }
  return {
    home: values.home === undefined ? undefined : path.resolve(values.home),
    hosts: number('--hosts', values.hosts, 2, 1, MAX_HOSTS),
    vms: number('--vms', values.vms, 1, 0, MAX_VMS),
    memoryMiB: mib(values.memory),
    nfs: nfs === true,
    controllerPort: port('--port', values.port, 7443),
    httpPort: port('--http-port', values['http-port'], 7480),
    guestPort: port('--guest-port', values['guest-port'], 8080),
  };
}

function number(option: string, text: string | undefined, otherwise: number, least: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw usageError(`${option} is a number from ${least} to ${most}, not '${text}'`);
  return value;
}

const port = (option: string, text: string | undefined, otherwise: number): Port => ({
  port: number(option, text, otherwise, 1, 65_535),
  isAsked: text !== undefined,
});

/** `256M`, `1G` */
function mib(text = '128M'): number {
  const [, amount, unit] = /^(\d+)([MG])$/.exec(text) ?? [];
  const value = Number(amount) * (unit === 'G' ? 1024 : 1);
  if (amount === undefined || value < 64 || value > 3072) throw usageError(`--memory is 64M to 3G, not '${text}'`);
  return value;
}
