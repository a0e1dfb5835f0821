/**
 * Hosts of a cluster as network namespaces of this machine, on one Ethernet: each with a
 * bridge for its VMs whose uplink is a cable to a common switch, and as many more for
 * clients. Needs root. All of it goes with `remove`.
 *
 *     switch (bridge) ═ host0: br0 (10.77.0.10) ═ taps of VMs
 *                     ═ host1: br0 (10.77.0.11)
 *                     ═ client: eth0 (10.77.0.200)
 */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
let serial = 0;

export class Net {
  spaces = [];
  constructor() {
    this.id = `gw${process.pid % 10000}x${serial++}`;
  }

  static async create() {
    const net = new Net();
    net.switch = await net.space('sw');
    await net.switch.sh('ip link add sw type bridge && ip link set sw up');
    return net;
  }

  /** A namespace with nothing but loopback. */
  async space(name) {
    const space = new Space(`${this.id}${name}`);
    this.spaces.push(space);
    await run('ip', ['netns', 'add', space.name]);
    await space.sh('ip link set lo up');
    return space;
  }

  /** A host with br0 on the common Ethernet. */
  async host(name, address) {
    const host = await this.space(name);
    await this.cable(host, name, 'up0');
    // A bridge takes the lowest address of its ports: one that comes with a VM's TAP would cut the host itself off.
    await host.sh(`ip link add br0 type bridge && ip link set br0 address $(cat /sys/class/net/up0/address) && ip link set br0 up && ip link set up0 master br0 && ip addr add ${address}/24 dev br0`);
    host.address = address;
    return host;
  }

  /** A machine that is no host. */
  async client(name, address) {
    const client = await this.space(name);
    await this.cable(client, name, 'eth0');
    await client.sh(`ip addr add ${address}/24 dev eth0 && ip route add default dev eth0`);
    client.address = address;
    return client;
  }

  async cable(space, name, device) {
    const port = `p${name}`;
    await this.switch.sh(`ip link add ${port} type veth peer name ${device} netns ${space.name} && ip link set ${port} master sw && ip link set ${port} up`);
    await space.sh(`ip link set ${device} up`);
    space.port = port;
  }

  /** Pulls or plugs the cable of a host. */
  async plug(space, plugged) {
    await this.switch.sh(`ip link set ${space.port} ${plugged ? 'up' : 'down'}`);
  }

  async remove() {
    for (const space of this.spaces.reverse()) await run('ip', ['netns', 'del', space.name]).catch(() => {});
    this.spaces = [];
  }
}

export class Space {
  /** Its IPv4 address on the common Ethernet; empty: it has none. */
  address = '';

  constructor(name) {
    this.name = name;
  }

  /** A shell's output in the namespace; rejects with what it said on standard error. */
  async sh(script, options = {}) {
    return (await run('ip', ['netns', 'exec', this.name, 'sh', '-c', script], { maxBuffer: 1 << 24, ...options })).stdout;
  }

  /** The command as one that runs there. */
  command(command, args) {
    return ['ip', ['netns', 'exec', this.name, command, ...args]];
  }

  /** `ip netns exec` replaces itself: the child is the program itself. */
  spawn(command, args, options) {
    const [ip, rest] = this.command(command, args);
    return spawn(ip, rest, options);
  }
}
