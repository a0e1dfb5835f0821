/**
 * Guest programs from GNU assembler source to bytes at a fixed address: `as`
 * and `objcopy` come with the compiler that builds the native layer. Sources are
 * linked by nobody, so every absolute address is `label - start + BASE`, which
 * the linker would have done: `ld` does it here.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where guests are loaded and begin. */
export const GUEST_BASE = 0x100000;

export const guestFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'guests');

/** Bytes of the program in `source`, which may `.include "prelude.inc"`. */
export function assemble(source) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-guest-'));
  try {
    const at = (name) => path.join(folder, name);
    writeFileSync(at('guest.s'), source);
    execFileSync('as', ['--32', '-I', guestFolder, '-o', at('guest.o'), at('guest.s')], { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
    execFileSync('ld', ['-m', 'elf_i386', '-N', '-Ttext', `0x${GUEST_BASE.toString(16)}`, '-e', `0x${GUEST_BASE.toString(16)}`, '--oformat', 'binary', '-o', at('guest.bin'), at('guest.o')], { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
    return readFileSync(at('guest.bin'));
  } catch (error) {
    throw new Error(`the guest does not assemble: ${String(error.stderr ?? error).split('\n').slice(0, 8).join('\n')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
