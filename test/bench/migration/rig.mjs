/**
 * Where the benchmark's guests run: both VMMs of a move in one network namespace with a
 * bridge, the probe in another, one Ethernet between them (test/support/hosts.mjs).
 */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Net } from '../../support/hosts.mjs';

const HOST = '10.77.0.10';
const CLIENT = '10.77.0.200';

export class Rig {
  addresses = 0;
  /** @type {Set<import('node:child_process').ChildProcess>} */
  children = new Set();
  /** @type {Promise<void> | undefined} */
  removing;
  /** @type {import("../../support/hosts.mjs").Space | undefined} */
  host;
  /** @type {import("../../support/hosts.mjs").Space | undefined} */
  client;
  /** Without network no namespaces and no rights are needed. @param priority of the VMMs' sessions against other load on the machine, as `nice`: the same for every side */
  static async create({ priority = 0, network = true } = {}) {
    const rig = new Rig();
    rig.priority = priority;
    rig.folder = await mkdtemp(path.join(os.tmpdir(), 'godwit-moves-'));
    process.once('exit', () => rig.removeNow());
    if (!network) return rig;
    try {
      rig.net = await Net.create();
      rig.host = await rig.net.host('h', HOST);
      rig.client = await rig.net.client('c', CLIENT);
      return rig;
    } catch (error) {
      await rig.remove();
      throw new Error(`this needs root and network namespaces, for guests on a bridge and a probe elsewhere: ${error.message}`);
    }
  }

  /** For a guest of its own. */
  address() {
    return `10.77.0.${50 + (this.addresses++ % 100)}`;
  }

  /**
   * A VMM or client that leads a session of its own: it ends with the rig at the latest, and gets the rig's
   * priority (sched(7), autogroup: between sessions `nice` alone says nothing).
   */
  adopt(child) {
    if (this.removing) child.kill('SIGKILL');
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    if (this.priority === 0) return;
    try {
      writeFileSync(`/proc/${child.pid}/autogroup`, String(this.priority));
    } catch {
      // A kernel without groups, or one that is gone by now.
    }
  }

  path(name) {
    return path.join(this.folder, name);
  }

  /** What `remove` has not got to when this process ends, by a signal for instance: VMMs are sessions of their own. */
  removeNow() {
    for (const child of this.children) child.kill('SIGKILL');
    for (const { name } of this.net?.spaces ?? []) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** All that runs here ends, too; may be called again. */
  remove() {
    this.removing ??= (async () => {
      for (const child of this.children) child.kill('SIGKILL');
      await this.net?.remove();
      rmSync(this.folder, { recursive: true, force: true });
    })();
    return this.removing;
  }
}
