/** `godwit vm console` */
import type { Command } from '../core/command';
import { showConsole } from '../follow/console';
import { remote } from './shared';

export const vmConsole: Command = remote({
  path: ['vm', 'console'],
  summary: "the VM's serial port on this terminal; Ctrl-] leaves",
  about: [
    'It goes on while the VM moves to another host. Keys go to the guest as they are, Ctrl-C too. From a pipe, standard input goes to the guest, and the command stays until --timeout or Ctrl-C.',
  ],
  examples: [
    ['vm console web1', 'to log in'],
    ['vm console web1 --read-only', 'only to look'],
    ['echo uptime | godwit vm console web1 --timeout 3s', 'types a line, and shows what is printed'],
  ],
  args: [{ name: 'VM', complete: 'vm' }],
  options: { 'read-only': { summary: 'sends no keys' } },
  run: ({ args, flags, io, session }) =>
    showConsole(io, session(), { vm: args[0], readOnly: flags.has('read-only'), timeoutMs: flags.duration('timeout') }),
});
