import { saveVm, Vm } from '@godwit/vmm';
import { attachConsole } from './console';
import { runControlled } from './controlled';
import { placeDisk } from './disk-options';
import { type HeldLease, holdLease } from './lease';
import { openNetworks } from './networks';
import { report, writeStats } from './outcome';
import { loadInto, openResumable, type Resumable, type RunOrigin } from './resume';
import { chooseRunOptions, parseFlags, type RunOptions } from './run-options';

/** `godwit run`: one VM in the foreground, its serial port on the terminal. Returns the exit code. */
export async function run(argv: string[]): Promise<number> {
  const flags = parseFlags(argv);
  const from = flags['resume-from'];
  const resumed = from === undefined ? undefined : await openResumable(from);
  try {
    const options = chooseRunOptions(flags, resumed);
    const lease = options.vm === undefined ? undefined : await holdLease(options.vm, options.spec.memoryBytes, options.incoming === undefined);
    try {
      return await runLeased(options, resumed, lease);
    } finally {
      await lease?.release();
    }
  } finally {
    await resumed?.state.close();
  }
}

async function runLeased(options: RunOptions, resumed: Resumable | undefined, lease: HeldLease | undefined): Promise<number> {
  const networks = await openNetworks(options.nets, options.vm ?? `run-${process.pid}`);
  try {
    const shared = lease?.holder.deadline.shared;
    const store = lease && { where: lease.datastore.where, disks: lease.disks };
    const disks = options.spec.disks
      ?.map((disk) => placeDisk(disk, store))
      .map((disk) => ({ ...disk, image: { ...disk.image, lease: disk.image.readOnly ? undefined : shared } }));
    const spec = { ...options.spec, disks, nics: networks.nics, lease: shared };
    if (options.control !== undefined || options.incoming !== undefined) return await runControlled({ options, resumed, lease, spec });
    const vm = new Vm(spec);
    lease?.guard(vm);
    return await runVm(vm, options, resumed);
  } finally {
    await networks.close();
  }
}

async function runVm(vm: Vm, { stats, suspendTo, origin }: RunOptions, resumed: Resumable | undefined): Promise<number> {
  let leaving = false;
  const leave = (): void => {
    if (leaving || suspendTo === undefined) return vm.stop();
    leaving = true;
    suspend(vm, suspendTo, origin).catch((error: Error) => {
      process.stderr.write(`godwit: ${error.message}\ngodwit: the VM goes on\n`);
      leaving = false;
      vm.resume('save');
    });
  };
  const detach = attachConsole(vm, leave);
  vm.on('trace', (line: string) => process.stderr.write(`trace: ${line}\n`));
  vm.on('held', (disk: number, why: string | null) => process.stderr.write(`godwit: ${heldLine(disk, why)}\n`));
  vm.on('link', (nic: number, up: boolean, why: string) => process.stderr.write(`godwit: network ${nic}: ${up ? 'back' : why}\n`));
  process.on('SIGINT', leave);
  process.on('SIGTERM', leave);
  try {
    await vm.start();
    if (resumed) await loadInto(vm, resumed);
    const ended = await vm.ended;
    if (stats !== undefined) writeStats(stats, ended.stats);
    return report(ended.outcome);
  } catch (error) {
    // It must let go of its disks and networks before they are closed.
    vm.stop();
    await vm.ended.catch(() => {});
    throw error;
  } finally {
    detach();
    process.off('SIGINT', leave);
    process.off('SIGTERM', leave);
  }
}

async function suspend(vm: Vm, file: string, origin: RunOrigin): Promise<void> {
  const { fileBytes } = await saveVm(vm, file, JSON.parse(JSON.stringify(origin)) as RunOrigin);
  process.stderr.write(`godwit: suspended to ${file} (${Math.ceil(fileBytes / 2 ** 20)} MiB); go on with --resume-from ${file}\n`);
  vm.stop();
}

const heldLine = (disk: number, why: string | null): string =>
  why === null ? `disk ${disk} is served again: the VM goes on` : `the VM waits, nothing is lost: disk ${disk}: ${why}`;
