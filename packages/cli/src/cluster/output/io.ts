/** The terminal, or what stands in its place: tests bring their own. */
import type { Readable } from 'node:stream';
import { printable } from './style';

export interface Io {
  /** Data; bytes as they are. */
  out(data: string | Uint8Array): void;
  /** Everything else: the text as it is. */
  err(text: string): void;
  /** `godwit: …` and a line break, on standard error. */
  say(line: string): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Characters a line of the terminal; asked again at each drawing. */
  columns(): number;
  rows(): number;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The working folder. */
  readonly folder: string;
  /** Ctrl-C, or a signal that asks this process to end. @returns takes it back */
  onInterrupt(act: () => void): () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function processIo(): Io {
  const { stdout, stderr, stdin, env } = process;
  // `godwit vm ls | head`: whoever reads has enough.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const err = (text: string): void => void stderr.write(text);
  return {
    out: (data) => void stdout.write(data),
    err,
    say: (line) => err(`godwit: ${printable(line)}\n`),
    outIsTerminal: stdout.isTTY === true,
    errIsTerminal: stderr.isTTY === true && env.TERM !== 'dumb',
    columns: () => stderr.columns || stdout.columns || 80,
    rows: () => stderr.rows || stdout.rows || 24,
    stdin,
    env,
    folder: process.cwd(),
    onInterrupt: (act) => {
      for (const signal of SIGNALS) process.on(signal, act);
      return () => {
        for (const signal of SIGNALS) process.off(signal, act);
      };
    },
  };
}
