/** The methods of service Vmm (proto/godwit/v1/vmm.proto), over one VmmProcess. */
import process from 'node:process';
import { randomUUID } from 'node:crypto';
import { type Handlers, type Input, type VmmStatus, WireError } from '@godwit/wire';
import { vmFactsOf } from './facts';
import type { KeptRecord, Running } from './outgoing';
import { Queue } from './queue';
import { recordMessage, settingsOf } from './records';
import { flatStats } from './stats';
import type { VmmProcess } from './vmm-process';

const MIN_INTERVAL_MS = 50;
const DEFAULT_INTERVAL_MS = 5_000;
/** Bytes of console output that wait for one who reads it slowly. */
const MAX_CONSOLE_WAITING = 1 << 20;

export function vmmMethods(vmm: VmmProcess): Handlers<'Vmm'> {
  const acknowledge = (act: () => void) => async () => {
    act();
    return vmmStatus(vmm);
  };
  return {
    getStatus: async () => vmmStatus(vmm),

    watchStatus: async function* ({ intervalMs }, { signal }) {
      const changes = new Queue<void>(true);
      const tell = (): void => changes.push();
      const stop = (): void => changes.end();
      const timer = setInterval(tell, Math.max(MIN_INTERVAL_MS, intervalMs || DEFAULT_INTERVAL_MS));
      vmm.on('changed', tell);
      signal.addEventListener('abort', stop);
      tell();
      try {
        for await (const _ of changes) {
          const status = vmmStatus(vmm);
          yield status;
          if (status.ended !== '') return;
        }
      } finally {
        clearInterval(timer);
        vmm.off('changed', tell);
        signal.removeEventListener('abort', stop);
      }
    },

    getStats: async () => ({
      counters: { ...(vmm.vm ? flatStats(vmm.end?.stats ?? (await vmm.vm.stats())) : {}), ...vmm.parts.holder?.counters() },
    }),

    pause: async () => {
      vmm.running.pause('operator');
      await standsStill(vmm, true);
      return vmmStatus(vmm);
    },
    resume: async () => {
      vmm.running.resume('operator');
      await standsStill(vmm, false);
      return vmmStatus(vmm);
    },
    powerButton: acknowledge(() => vmm.running.powerButton()),
    reset: acknowledge(() => vmm.running.reset()),
    powerOff: acknowledge(() => {
      if (!vmm.arriving) return vmm.running.stop();
      vmm.waiting.cancel('powered off');
      // Nobody has come yet: then there is no migration to call off.
      vmm.giveUpWaiting('powered off');
    }),
    suspend: async () => {
      const { bytes, pauseMs } = await vmm.suspend();
      return { stateBytes: bytes, pauseMs };
    },

    console: async function* (input, { signal }) {
      const output = new Queue<{ data: Uint8Array }>();
      let waiting = 0;
      const leave = vmm.console.attach({
        write: (bytes) => {
          waiting += bytes.length;
          output.push({ data: bytes });
        },
        tooSlow: () => output.end(),
        get waiting() {
          return Math.max(0, waiting - MAX_CONSOLE_WAITING);
        },
      });
      const stop = (): void => output.end();
      signal.addEventListener('abort', stop);
      void vmm.ended.then(stop);
      const typing = (async () => {
        for await (const { data } of input) if (data.length > 0 && vmm.vm && !vmm.arriving) vmm.vm.input(Uint8Array.from(data));
      })();
      typing.catch(() => {});
      try {
        for await (const piece of output) {
          yield piece;
          waiting -= piece.data.length;
        }
      } finally {
        signal.removeEventListener('abort', stop);
        leave();
      }
    },

    migrate: async function* (request, { signal }) {
      const { running } = await vmm.migrate({
        migrationId: request.migrationId || randomUUID(),
        target: request.targetAddress,
        token: request.token,
        settings: settingsOf(request.settings),
        targetHost: request.targetHost,
      });
      yield* follow(running, signal);
    },

    watchMigration: async function* ({ migrationId }, { signal }) {
      const { migrations } = vmm;
      const { running } = migrations;
      if (running && !running.over && (migrationId === '' || running.record().migrationId === migrationId)) return yield* follow(running, signal);
      const kept = migrations.find(migrationId);
      if (!kept) throw new WireError('not-found', `no migration ${migrationId} is known here`);
      yield recordMessage(kept);
    },

    changeMigration: async ({ migrationId, settings }) => {
      const { running } = vmm.migrations;
      if (!running || running.over || (migrationId !== '' && running.record().migrationId !== migrationId)) throw new WireError('precondition', 'that migration is not under way');
      try {
        running.configure(settingsOf(settings));
      } catch (error) {
        throw new WireError('invalid', (error as Error).message);
      }
      return recordMessage(running.record());
    },

    cancelMigration: async ({ migrationId, why }) => {
      const record = vmm.migrations.cancel(migrationId, why || 'ordered');
      return record ? recordMessage(record) : {};
    },

    listMigrations: async () => ({ migrations: vmm.vm ? vmm.migrations.records.map(recordMessage) : [] }),

    expect: async ({ migrationId, vmId }) => vmm.waiting.expect(migrationId, vmId),
  };
}

async function* follow(running: Running, signal: AbortSignal) {
  const records = new Queue<KeptRecord>(true);
  const tell = (record: KeptRecord): void => {
    records.push(record);
    if (running.over) records.end();
  };
  const stop = (): void => records.end();
  running.on('record', tell);
  signal.addEventListener('abort', stop);
  records.push(running.record());
  if (running.over) records.end();
  try {
    for await (const record of records) yield recordMessage(record);
  } finally {
    running.off('record', tell);
    signal.removeEventListener('abort', stop);
  }
}

/** VmmStatus. */
export function vmmStatus(vmm: VmmProcess): Input<VmmStatus> {
  const { vm, parts, end } = vmm;
  const pauses = vm && !end ? [...vm.pauses] : [];
  const state = vmm.arriving ? 'VM_STATE_INCOMING' : end ? (end.reason === 'suspended' ? 'VM_STATE_SUSPENDED' : 'VM_STATE_STOPPED') : !vm ? 'VM_STATE_STARTING' : pauses.length > 0 ? 'VM_STATE_PAUSED' : 'VM_STATE_RUNNING';
  const facts = vm ? vmFactsOf(vm, parts.vm, null) : { vmId: parts.vm.vmId, name: parts.vm.name, datastores: parts.vm.datastores, networks: parts.vm.networks };
  return {
    vm: { ...facts, usedFeatures: [], state },
    pauses,
    line: vmm.line,
    hostId: parts.host.hostId,
    hostName: parts.host.hostName,
    vmmId: parts.vmmId,
    pid: process.pid,
    startedAtMs: vmm.startedAtMs,
    leaseEpoch: parts.holder?.epoch ?? 0,
    migrationId: vmm.migrationId,
    migrationAddress: vmm.migrationAddress,
    ended: end?.reason ?? '',
  };
}

/** Until the guest is, or is no longer, paused for the operator: the answer is to be what it says. Or until the VM has ended. */
async function standsStill({ running: vm }: VmmProcess, wanted: boolean): Promise<void> {
  if (vm.pauses.includes('operator') === wanted) return;
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (vm.pauses.includes('operator') !== wanted) return;
      vm.off('paused', look);
      resolve();
    };
    vm.on('paused', look);
    void vm.ended.then(() => {
      vm.off('paused', look);
      resolve();
    });
  });
}
