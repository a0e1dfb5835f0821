/** `godwit vm create|clone|change`. */
import type { Input, VmSpec } from '@godwit/wire';
import { usageError } from '../../errors';
import type { Command, Invocation } from '../core/command';
import { WAIT } from '../core/shared-options';
import { operate, readMap, remote } from './shared';
import { DEVICES, SPEC, specOf } from './vm-spec';

const FILE = {
  short: 'f',
  value: 'FILE',
  summary: 'YAML or JSON with the fields of VmSpec (proto/godwit/v1/spec.proto), or what `vm show -o yaml` wrote; - for standard input',
  complete: 'file',
} as const;
const DATASTORE = { value: 'NAME', summary: 'where its files lie; without it: where there is most room', complete: 'datastore' } as const;

const create: Command = {
  path: ['vm', 'create'],
  summary: 'makes a VM',
  about: [
    'A disk is new and empty (--disk 10G), or a copy of one of the images that the hosts have (--disk image=debian.qcow2). After a comma: size=, format=raw|qcow2, bus=virtio|ide, file=NAME, readonly. Disks appear in the order given.',
    'What stands on the command line goes before what stands in --file.',
  ],
  examples: [
    ['vm create web1 --disk image=debian.qcow2 --network user --start', 'from an image, and boots it'],
    ['vm create db1 --memory 2G --disk image=debian.qcow2,size=20G --disk 100G -l team=db', 'two disks and a label'],
    ["vm create t1 --kernel vmlinuz --initrd initrd --append 'console=ttyS0'", 'a kernel without a disk'],
    ['vm show web1 -o yaml | godwit vm create web2 --file -', 'another like web1, with network addresses of its own'],
  ],
  args: [{ name: 'NAME', optional: true }],
  options: {
    ...DEVICES,
    ...SPEC,
    label: { ...SPEC.label, short: 'l' },
    datastore: DATASTORE,
    host: { value: 'HOST', summary: 'the host that makes it, and starts it with --start', complete: 'host' },
    start: { summary: 'starts it when it is made' },
    file: FILE,
    ...WAIT,
  },
  run: async (given) => {
    const { args, flags } = given;
    const base = flags.has('file') ? await specFile(given, flags.text('file')!, true) : {};
    const name = args[0] ?? base.name;
    if (!name) throw usageError('NAME is missing: godwit vm create NAME');
    const spec = specOf(flags, { ...base, name, vmId: '' }, true);
    return operate(given, (client, options, idempotencyKey) =>
      client('Vms').createVm(
        { spec, datastore: flags.text('datastore') ?? '', host: flags.text('host') ?? '', start: flags.has('start'), idempotencyKey },
        options,
      ),
    );
  },
};

const clone: Command = {
  path: ['vm', 'clone'],
  summary: 'copies a VM that does not run',
  examples: [
    ['vm clone web1 web2', 'a full copy; its network addresses are new'],
    ['vm clone golden web3 --linked --start', 'keeps only what differs, and starts it; golden can then no longer start'],
  ],
  args: [{ name: 'VM', complete: 'vm' }, { name: 'NAME' }],
  options: {
    linked: { summary: "its disks show the original's through and keep only what differs; the original can then no longer start" },
    datastore: { ...DATASTORE, summary: "where its files lie; without it: beside the original's" },
    start: { summary: 'starts it when it is made' },
    ...WAIT,
  },
  run: (given) => {
    const { args, flags } = given;
    const [vm, name] = args;
    return operate(given, (client, options, idempotencyKey) =>
      client('Vms').cloneVm(
        { vm, name, linked: flags.has('linked'), datastore: flags.text('datastore') ?? '', start: flags.has('start'), idempotencyKey },
        options,
      ),
    );
  },
};

const changeVm: Command = {
  path: ['vm', 'change'],
  summary: 'changes what a VM is to be',
  about: [
    'Labels, restart, priority, reserved memory and what concerns migration change at once, also while it runs; the rest needs a stopped VM.',
    'If somebody else changes it at the same time, nothing is changed and the command says so.',
  ],
  examples: [
    ['vm change web1 -l team=web -l old-', 'sets one label and takes another away'],
    ['vm change web1 --max-pause 20ms --moves by-hand', 'how it migrates from now on'],
    ['vm change web1 --memory 1G --name web01', 'a stopped VM'],
  ],
  args: [{ name: 'VM', complete: 'vm' }],
  options: {
    name: { value: 'NAME', summary: 'renames it' },
    ...SPEC,
    label: { ...SPEC.label, short: 'l' },
    file: { ...FILE, summary: `all of it anew: ${FILE.summary}` },
    ...WAIT,
  },
  run: async (given) => {
    const { args, flags } = given;
    const [vm] = args;
    const now = await given.session().ask((client, options) => client('Vms').getVm({ vm }, options));
    const base: Input<VmSpec> = flags.has('file') ? await specFile(given, flags.text('file')!, false) : (now.spec ?? {});
    const named = flags.text('name') ?? (base.name || now.spec?.name);
    const spec = specOf(flags, { ...base, name: named, vmId: now.spec?.vmId ?? '' }, false);
    if (JSON.stringify(spec) === JSON.stringify(now.spec)) throw usageError('nothing is to be changed: name an option');
    return operateChange(given, vm, spec, now.revision);
  },
};

/** The answer of a change that is done at once has no operation to watch. */
async function operateChange(given: Invocation, vm: string, spec: Input<VmSpec>, revision: number): Promise<number> {
  return operate(given, (client, options, idempotencyKey) => client('Vms').changeVm({ vm, spec, revision, idempotencyKey }, options));
}

/** A VmSpec, or a Vm that has one. */
async function specFile(given: Invocation, file: string, isNew: boolean): Promise<Input<VmSpec>> {
  const value = await readMap(given, file);
  if (typeof value.spec !== 'object' || value.spec === null) return value as Input<VmSpec>;
  const spec = value.spec as Input<VmSpec>;
  // Another VM's addresses would be there twice.
  return isNew ? { ...spec, networks: spec.networks?.map((network) => ({ ...network, mac: '' })) } : spec;
}

export const vmMakeCommands: readonly Command[] = [create, clone, changeVm].map(remote);
