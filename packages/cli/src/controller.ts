import { runController } from '@godwit/controller';
import { exitCodes, usageError } from './errors';
import { untilEnded } from './until-ended';
import { version } from './version';

/**
 * `godwit controller CONFIG.json`: a controller in the foreground, as systemd runs it. `godwit cluster init` writes the
 * configuration. Its log goes to standard output, a JSON line each.
 */
export async function controller([file, ...rest]: string[]): Promise<number> {
  if (file === undefined || rest.length > 0)
    throw usageError('godwit controller needs one configuration file: godwit cluster init writes it');
  // A terminal that closes is no reason to end.
  process.on('SIGHUP', () => {});
  const running = await runController(file, { version });
  await untilEnded(() => running.stop());
  return exitCodes.ok;
}
