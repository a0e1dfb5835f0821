/** Namespaces on a switch that is this process's own network: for scripts in namespaces of their own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Net } from '../../support/hosts.mjs';

const run = promisify(execFile);
/** Of this process on the switch. */
export const SWITCH = '10.78.0.1';

export class FleetNet extends Net {
  static async here() {
    const net = new FleetNet();
    net.switch = { sh: (script) => run('sh', ['-ec', script]) };
    await net.switch.sh(`ip link set lo up; ip link add sw type bridge; ip link set sw up; ip addr add ${SWITCH}/24 dev sw; ip route add default dev sw`);
    return net;
  }
}
