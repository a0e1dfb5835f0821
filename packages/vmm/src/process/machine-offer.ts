/** What the source says of the machine's making (Offer.config), and whether it is the one that the target would make. Untrusted. */
import { z } from 'zod';
import type { Vm, VmSpec } from '../vm';
import { WireError } from '@godwit/wire';

const machine = z.object({
  disks: z.array(z.object({ adapter: z.string().max(16), sectors: z.number().int().nonnegative() })).max(32),
  nics: z.array(z.object({ adapter: z.string().max(16), mac: z.array(z.number().int().min(0).max(255)).length(6) })).max(32),
});
export type OfferedMachine = z.infer<typeof machine>;

export function offeredMachine(vm: Vm): OfferedMachine {
  const { disks = [], nics = [] } = vm.spec;
  return {
    disks: disks.map(({ adapter }, index) => ({ adapter, sectors: vm.diskSectors[index] })),
    nics: nics.map(({ adapter, mac }) => ({ adapter, mac: [...mac] })),
  };
}

/** `spec` with the addresses that the guest knows. @throws WireError naming the first difference */
export function fitOffer(spec: VmSpec, offered: unknown): VmSpec {
  const parsed = machine.safeParse(offered);
  if (!parsed.success) throw new WireError('invalid', "the source's description of the machine cannot be read: are both hosts of the same version?");
  const { disks, nics } = parsed.data;
  differ('disk', (spec.disks ?? []).map(({ adapter }) => adapter), disks.map(({ adapter }) => adapter));
  differ('network adapter', (spec.nics ?? []).map(({ adapter }) => adapter), nics.map(({ adapter }) => adapter));
  return { ...spec, nics: spec.nics?.map((nic, index) => ({ ...nic, mac: Uint8Array.from(nics[index].mac) })) };
}

/** Once its images are open. @throws WireError */
export function checkSectors(vm: Vm, offered: unknown): void {
  machine.parse(offered).disks.forEach(({ sectors }, index) => {
    if (vm.diskSectors[index] !== sectors) throw new WireError('precondition', `disk ${index} has ${sectors} sectors at the source and ${vm.diskSectors[index]} here: it is not the same image`);
  });
}

function differ(what: string, here: readonly string[], there: readonly string[]): void {
  if (here.join() === there.join()) return;
  const say = (list: readonly string[]): string => (list.length === 0 ? 'none' : list.join(', '));
  throw new WireError('precondition', `the VM has these ${what}s: ${say(there)}; here it would get: ${say(here)}: start the target with the same devices`);
}
