/** Watches a cluster from outside: what each VMM says of itself, and who claims each lease; see test/support/history.mjs. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const { connect, PLAIN } = require('../../../packages/wire');
const INTERVAL_MS = 150;
/** A process that was stopped does not answer. */
const ANSWER_MS = 3_000;

export class Witness {
  samples = [];
  claims = new Map();
  /** Of processes that live: control socket → its client, and whether a question is under way. */
  asked = new Map();
  isOver = false;

  /** @param cluster of test/support/cluster.mjs @param store the datastore's folder as its server sees it */
  constructor(cluster, store) {
    Object.assign(this, { cluster, store });
    this.done = this.run();
  }

  get seenClaims() {
    return [...this.claims.values()];
  }

  async end() {
    this.isOver = true;
    await this.done;
    for (const { wire } of this.asked.values()) wire.close();
  }

  async run() {
    while (!this.isOver) {
      const live = this.cluster.hosts.flatMap((host) => host.vmms.map((vmm) => ({ ...vmm, host: host.name })));
      for (const [control, { wire }] of this.asked)
        if (!live.some((vmm) => vmm.control === control)) {
          wire.close();
          this.asked.delete(control);
        }
      for (const vmm of live) void this.ask(vmm);
      this.readClaims();
      await sleep(INTERVAL_MS);
    }
  }

  async ask({ control, host }) {
    if (!this.asked.has(control)) this.asked.set(control, { wire: connect({ address: `unix:${control}`, security: PLAIN }), waits: false });
    const one = this.asked.get(control);
    if (one.waits) return;
    one.waits = true;
    const askedMs = performance.now();
    try {
      const { vm, vmmId, leaseEpoch } = await one.wire.client('Vmm').getStatus({}, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (vm?.state === 'VM_STATE_RUNNING') this.samples.push({ vm: vm.name, vmmId, host, epoch: Number(leaseEpoch), askedMs, answeredMs: performance.now() });
    } catch {
      // It is starting, or has ended.
    } finally {
      one.waits = false;
    }
  }

  readClaims() {
    const vms = path.join(this.store, 'vms');
    for (const vm of list(vms))
      for (const name of list(path.join(vms, vm, 'lease'))) {
        if (!/^claim\.\d+$/.test(name)) continue;
        const text = read(path.join(vms, vm, 'lease', name));
        const owner = /"vmmId":"([^"]+)"/.exec(text)?.[1];
        if (text === '' || (owner === undefined && !/"owner":null/.test(text))) continue;
        const seen = { vm, epoch: Number(name.slice('claim.'.length)), vmmId: owner ?? '' };
        this.claims.set(`${seen.vm} ${seen.epoch} ${seen.vmmId}`, seen);
      }
  }
}

const list = (folder) => attempt(() => readdirSync(folder), []);
const read = (file) => attempt(() => readFileSync(file, 'utf8'), '');

function attempt(work, otherwise) {
  try {
    return work();
  } catch {
    return otherwise;
  }
}
