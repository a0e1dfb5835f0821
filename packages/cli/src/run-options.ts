import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { hostFeatures, parseCpuOption, UnknownCpuError } from '@godwit/cpu';
import { loadNative } from '@godwit/metal';
import { type ExecutionMode, hostCpuidQuery, type VmConfig } from '@godwit/vmm';
import { CliError, exitCodes, usageError } from './errors';
import { parseMemory } from './size';

export interface RunOptions {
  config: VmConfig;
  /** Where the engine's counters go at the end: a path, '-' for standard output, or undefined. */
  stats: string | undefined;
}

const traceKinds = ['interpret', 'halt', 'exits'];

/** The command line of `godwit run` → a VM. Throws CliError with one clear line. */
export function parseRunOptions(argv: string[]): RunOptions {
  const values = parseFlags(argv);
  if (!values.kernel) throw usageError('godwit run needs --kernel FILE (a Linux bzImage)');
  const native = loadNative();
  const clockSample = { tsc: native.hostTsc(), ns: native.monotonicNs() };
  const { unsupported } = native.hostInfo();
  if (unsupported) throw new CliError(exitCodes.precondition, `this host cannot run guests: ${unsupported}`);
  const trace = values.trace ? values.trace.split(',') : [];
  for (const kind of trace) if (!traceKinds.includes(kind)) throw usageError(`--trace knows ${traceKinds.join(', ')}, not '${kind}'`);
  return {
    stats: values.stats,
    config: {
      kernel: readImage('kernel', values.kernel),
      initrd: values.initrd ? readImage('initrd', values.initrd) : undefined,
      commandLine: values.append ?? 'console=ttyS0',
      memoryBytes: parseMemory(values.memory ?? '256M'),
      features: chooseFeatures(values.cpu ?? 'host'),
      mode: chooseMode(values.engine ?? 'translate'),
      trace,
      clockSample,
      processStartMs: performance.timeOrigin,
    },
  };

  function chooseFeatures(option: string): string[] {
    try {
      return [...parseCpuOption(option, hostFeatures(hostCpuidQuery(native)))];
    } catch (error) {
      if (error instanceof UnknownCpuError) throw usageError(error.message);
      throw error;
    }
  }
}

function parseFlags(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        kernel: { type: 'string' }, initrd: { type: 'string' }, append: { type: 'string' }, memory: { type: 'string' },
        cpu: { type: 'string' }, engine: { type: 'string' }, trace: { type: 'string' }, stats: { type: 'string' },
      },
      strict: true,
    }).values;
  } catch (error) {
    throw usageError((error as Error).message.split('\n')[0]);
  }
}

function chooseMode(text: string): ExecutionMode {
  if (text === 'translate' || text === 'interpret') return text;
  throw usageError(`--engine is translate or interpret, not '${text}'`);
}

function readImage(what: string, file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : code === 'EISDIR' ? 'it is a directory' : (error as Error).message;
    throw new CliError(exitCodes.notFound, `cannot read the ${what} ${file}: ${why}`);
  }
}
