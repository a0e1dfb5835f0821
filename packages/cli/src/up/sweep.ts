/** The end of what outlives agents: VMMs and the network of one `npm run up`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { connectUsernetControl } from '@godwit/network';
import { identify, killAll, type ProcessId } from './processes';

/** Ends the VMMs and the network whose state lies in the folder. */
export async function sweep(folder: string): Promise<void> {
  const hosts = readdirSync(folder).filter((name) => existsSync(path.join(folder, name, 'vms')));
  const vmms = hosts.flatMap((host) =>
    readdirSync(path.join(folder, host, 'vms')).map((vmm) => path.join(folder, host, 'vms', vmm, 'pid')),
  );
  await killAll([...vmms.flatMap(notedIn), ...(await networkIn(path.join(folder, 'net')))]);
}

/** The process that the agent has written down, if it is still that one. */
function notedIn(file: string): ProcessId[] {
  try {
    const { pid, startTime } = JSON.parse(readFileSync(file, 'utf8')) as { readonly pid: number; readonly startTime: number };
    const found = identify(pid);
    return found && (startTime < 0 || found.startTime === String(startTime)) ? [found] : [];
  } catch {
    return [];
  }
}

async function networkIn(socket: string): Promise<ProcessId[]> {
  if (!existsSync(`${socket}.control`)) return [];
  try {
    const control = await connectUsernetControl(`${socket}.control`);
    try {
      const found = identify((await control.status()).pid);
      return found ? [found] : [];
    } finally {
      control.close();
    }
  } catch {
    return [];
  }
}
