import { loadNative, type Native } from '@godwit/metal';
import { CliError, exitCodes } from './errors';

/** The native layer, on a host that can run guests. @throws CliError, or an Error with code GODWIT_METAL */
export function readyNative(): Native {
  const native = loadNative();
  const { unsupported } = native.hostInfo();
  if (unsupported) throw new CliError(exitCodes.precondition, `this host cannot run guests: ${unsupported}`);
  return native;
}
