import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AgentError, parseAgentConfig, startAgent } from '@godwit/agent';
import { CliError, exitCodes, usageError } from './errors';
import { readyNative } from './ready-native';
import { untilEnded } from './until-ended';
import { version } from './version';

/**
 * `godwit agent CONFIG.json`: this host's agent in the foreground, as systemd runs it. When it ends its VMs go on. Its
 * log goes to standard error, or where the configuration says, a JSON line each.
 */
export async function agent([file, ...rest]: string[]): Promise<number> {
  if (file === undefined || rest.length > 0) throw usageError('godwit agent needs one configuration file');
  process.on('SIGHUP', () => {});
  // Said now, rather than by the first VM.
  readyNative();
  const vmmCommand = [process.execPath, path.join(__dirname, 'main.js'), 'vmm'];
  const running = await startAgent(parseAgentConfig(read(file), file), { vmmCommand, version });
  await untilEnded(
    () => running.stop(),
    running.refused.then(({ message }) => new CliError(exitCodes.denied, message)),
  );
  return exitCodes.ok;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AgentError(`the configuration ${file} cannot be read: ${(error as Error).message}`);
  }
}
