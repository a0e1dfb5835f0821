import { readFileSync } from 'node:fs';
import { parseVmmConfig, runVmm } from '@godwit/vmm';
import { WireError } from '@godwit/wire';
import { CliError, exitCodes, usageError } from './errors';
import { readyNative } from './ready-native';

/**
 * `godwit vmm CONFIG.json`: one VM as a process of its own, as an agent starts it. Its
 * log goes to standard output, a JSON line each.
 */
export async function vmm([file, ...rest]: string[]): Promise<number> {
  if (file === undefined || rest.length > 0) throw usageError('godwit vmm needs one configuration file');
  // Its terminal, if it had one, is no concern of the VM's.
  process.on('SIGHUP', () => {});
  readyNative();
  const config = parseVmmConfig(read(file), file);
  const about = { vm: config.vm.name, host: config.hostName, vmmId: config.vmmId };
  const log = (line: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...about, msg: line, ...fields })}\n`);
  };
  try {
    const { reason, line } = await runVmm(config, log);
    log(line, { ended: reason });
    return reason === 'error' || reason === 'triple-fault' || reason === 'not-come' ? exitCodes.failed : exitCodes.ok;
  } catch (error) {
    log((error as Error).message, { failed: true, code: (error as NodeJS.ErrnoException).code });
    if (error instanceof WireError) throw new CliError(exitCodes.precondition, error.message);
    throw error;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(exitCodes.notFound, `cannot read ${file}: ${(error as Error).message}`);
  }
}
