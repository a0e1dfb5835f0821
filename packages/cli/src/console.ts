import type { Vm } from '@godwit/vmm';

const LEAVE = 0x1d; // Ctrl-]

/**
 * The terminal as the VM's first serial port. A terminal is put in raw mode, so
 * that Ctrl-C goes to the guest; Ctrl-] leaves. Returns how to undo it.
 */
export function attachConsole(vm: Vm, onLeave: () => void): () => void {
  const { stdin, stdout } = process;
  const onSerial = (bytes: Uint8Array): void => {
    stdout.write(bytes);
  };
  const onData = (data: Buffer): void => {
    const at = stdin.isTTY ? data.indexOf(LEAVE) : -1;
    const bytes = at < 0 ? data : data.subarray(0, at);
    if (bytes.length > 0) vm.input(Uint8Array.from(bytes));
    if (at >= 0) onLeave();
  };
  vm.on('serial', onSerial);
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on('data', onData);
  stdin.on('error', () => {});
  stdin.resume();
  return () => {
    vm.off('serial', onSerial);
    stdin.off('data', onData);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref?.();
  };
}
