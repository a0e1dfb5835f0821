import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { hostFeatures, parseCpuOption, UnknownCpuError } from '@godwit/cpu';
import { type ExecutionMode, hostCpuidQuery, type VmSpec } from '@godwit/vmm';
import { absoluteDisk, parseCdrom, parseDisk } from './disk-options';
import { CliError, exitCodes, usageError } from './errors';
import { type NetOption, parseNet } from './net-options';
import { absoluteStore } from './lease';
import { readyNative } from './ready-native';
import type { Resumable, RunOrigin } from './resume';
import { parseMemory } from './size';

export interface RunOptions {
  /** Without networks, which are opened later. */
  spec: VmSpec;
  nets: NetOption[];
  /** Where the engine's counters go at the end: a path, '-' for standard output, or undefined. */
  stats: string | undefined;
  /** Leaving saves the VM there. */
  suspendTo: string | undefined;
  /** Whose lease is to be held, `DATASTORE/NAME`, and how long for: see lease.ts. */
  vm: string | undefined;
  /** Path of the socket that serves the VM (service Vmm). */
  control: string | undefined;
  /** The VM comes from elsewhere: its ticket is written there. */
  incoming: string | undefined;
  /** Where other hosts reach this process, HOST:PORT, and the folder with its certificate. */
  listen: string | undefined;
  tls: string | undefined;
  /** What a saved VM is to remember of all this. */
  origin: RunOrigin;
}

const traceKinds = ['interpret', 'halt', 'exits'];

export type RunFlags = ReturnType<typeof parseFlags>;

/** The command line of `godwit run` → a VM, going on from a saved one if there is one. Throws CliError with one clear line. */
export function chooseRunOptions(values: RunFlags, resumed: Resumable | undefined): RunOptions {
  if (!values.kernel && !resumed) throw usageError('godwit run needs --kernel FILE (a Linux bzImage), or --resume-from FILE');
  const native = readyNative();
  const clockSample = { tsc: native.hostTsc(), ns: native.monotonicNs() };
  const trace = values.trace ? values.trace.split(',') : [];
  for (const kind of trace) if (!traceKinds.includes(kind)) throw usageError(`--trace knows ${traceKinds.join(', ')}, not '${kind}'`);
  if (resumed && (values.memory ?? values.cpu)) throw usageError('a saved VM has its own --memory and --cpu: leave them out');
  const origin = originOf(values, resumed?.origin);
  const saved = resumed?.state.config;
  const nets = origin.net.map(parseNet);
  if (saved) nets.forEach((net, index) => saved.nics[index] && (net.mac ??= Uint8Array.from(saved.nics[index].mac)));
  return {
    stats: values.stats,
    suspendTo: values['suspend-to'],
    control: values.control,
    incoming: values.incoming,
    listen: values.listen,
    tls: values.tls,
    vm: origin.vm,
    origin,
    nets,
    spec: {
      kernel: origin.kernel ? readImage('kernel', origin.kernel) : undefined,
      initrd: origin.initrd ? readImage('initrd', origin.initrd) : undefined,
      commandLine: origin.append ?? 'console=ttyS0',
      memoryBytes: saved?.memoryBytes ?? parseMemory(values.memory ?? '256M'),
      features: saved?.features ?? chooseFeatures(values.cpu ?? 'host'),
      mode: chooseMode(values.engine ?? 'translate'),
      disks: [...origin.disk.map(parseDisk), ...origin.cdrom.map(parseCdrom)],
      noReboot: values['no-reboot'],
      waitForState: resumed !== undefined,
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

export function parseFlags(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        kernel: { type: 'string' }, initrd: { type: 'string' }, append: { type: 'string' }, memory: { type: 'string' },
        cpu: { type: 'string' }, engine: { type: 'string' }, trace: { type: 'string' }, stats: { type: 'string' },
        disk: { type: 'string', multiple: true }, cdrom: { type: 'string', multiple: true }, net: { type: 'string', multiple: true },
        'suspend-to': { type: 'string' }, 'resume-from': { type: 'string' }, 'no-reboot': { type: 'boolean' }, vm: { type: 'string' },
        control: { type: 'string' }, incoming: { type: 'string' }, listen: { type: 'string' }, tls: { type: 'string' },
      },
      strict: true,
    }).values;
  } catch (error) {
    throw usageError((error as Error).message.split('\n')[0]);
  }
}

/** This command line's devices and kernel; where it names none, the saved VM's. */
function originOf(values: RunFlags, before: RunOrigin | undefined): RunOrigin {
  const absolute = (file: string | undefined): string | undefined => file && path.resolve(file);
  return {
    disk: values.disk?.map(absoluteDisk) ?? before?.disk ?? [],
    cdrom: values.cdrom?.map(absoluteDisk) ?? before?.cdrom ?? [],
    net: values.net ?? before?.net ?? [],
    vm: values.vm === undefined ? before?.vm : absoluteStore(values.vm),
    kernel: absolute(values.kernel) ?? before?.kernel,
    initrd: absolute(values.initrd) ?? before?.initrd,
    append: values.append ?? before?.append,
  };
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
