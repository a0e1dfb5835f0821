/** QEMU's machine protocol on a unix socket: commands in their order, events by name with their time (wall clock, milliseconds). */
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const CONNECT_TRIES = 200;

export class Qmp extends EventEmitter {
  waiting = [];
  static async connect(socketPath) {
    const socket = await connected(socketPath);
    const qmp = new Qmp();
    qmp.socket = socket;
    let rest = '';
    socket.setEncoding('utf8').on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines) if (line.trim()) qmp.receive(JSON.parse(line));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of qmp.waiting.splice(0)) reject(new Error('QEMU has ended'));
      qmp.emit('closed');
    });
    await qmp.do('qmp_capabilities');
    return qmp;
  }

  receive(message) {
    if ('event' in message) return void this.emit(message.event, message.data, message.timestamp.seconds * 1000 + message.timestamp.microseconds / 1000);
    if ('QMP' in message) return;
    const { resolve, reject } = this.waiting.shift();
    if ('error' in message) reject(new Error(message.error.desc));
    else resolve(message.return);
  }

  do(execute, args) {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('QEMU has ended'));
      this.waiting.push({ resolve, reject });
      this.socket.write(`${JSON.stringify({ execute, ...(args ? { arguments: args } : {}) })}\n`);
    });
  }

  close() {
    this.socket.destroy();
  }
}

/** The socket, once the process has made it. @throws Error */
export async function connected(socketPath) {
  for (let tries = 0; ; tries++) {
    try {
      return await new Promise((resolve, reject) => {
        const socket = net.connect(socketPath, () => resolve(socket));
        socket.once('error', reject);
      });
    } catch (error) {
      if (tries === CONNECT_TRIES) throw error;
      await sleep(50);
    }
  }
}
