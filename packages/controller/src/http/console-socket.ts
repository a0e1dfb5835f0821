/**
 * A VM's serial console over a WebSocket: binary messages are bytes of the serial port, either way; text messages, only to
 * the page, are JSON for people: `{"open":true}`, `{"note":"moved to host-b"}`, `{"error":{"code","line"}}`. It goes on over
 * a migration, as the API's Console does.
 */
import type { WebSocket } from 'ws';
import type { Call, Message, Services } from '../rpc/rpc';
import { Queue } from '../rpc/queue';
import { toldOf } from './answers';
import { CONSOLE_BUFFER_BYTES } from './limits';

const MAX_WAITING = 1_024;
/** Closed by us, for a reason that was said before. */
const POLICY = 1_008;

export async function serveConsole(socket: WebSocket, services: Services, call: Call, vm: string): Promise<void> {
  const input = new Queue<Message>(MAX_WAITING, () => new Error('the VM takes input too slowly'));
  input.put({ vm, console: 'CONSOLE_KIND_SERIAL' });
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) input.put({ data: new Uint8Array(data) });
  });
  socket.on('close', () => input.end());
  socket.on('error', () => socket.terminate());
  const method = services.Vms.Console;
  if (!('bidi' in method)) throw new Error('Vms.Console is a stream both ways');
  let open = false;
  try {
    for await (const message of method.bidi(input, call)) {
      const { data, note } = message as { data?: Uint8Array; note?: string };
      if (!open || note) socket.send(JSON.stringify(note ? { note } : { open: true }));
      open = true;
      if (data && data.length > 0) await written(socket, data);
      if (socket.readyState !== socket.OPEN) return;
    }
    socket.close(1_000);
  } catch (error) {
    const { code, line } = toldOf(error);
    socket.send(JSON.stringify({ error: { code, line } }), () => socket.close(POLICY));
  } finally {
    input.end();
  }
}

/** Waits while the page lags, so that the guest's output is held where it comes from. */
function written(socket: WebSocket, data: Uint8Array): Promise<void> | undefined {
  if (socket.bufferedAmount < CONSOLE_BUFFER_BYTES) {
    socket.send(data, { binary: true });
    return undefined;
  }
  return new Promise((resolve) => socket.send(data, { binary: true }, () => resolve()));
}
