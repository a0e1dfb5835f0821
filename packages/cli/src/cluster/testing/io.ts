/** An Io that keeps what is written, for tests. */
import { PassThrough } from 'node:stream';
import type { Io } from '../output/io';

export interface TestIo extends Io {
  stdout: string;
  stderr: string;
  interrupt(): void;
}

export function testIo(
  given: Partial<Pick<Io, 'outIsTerminal' | 'errIsTerminal' | 'env' | 'folder'>> & { columns?: number; rows?: number; input?: string } = {},
): TestIo {
  const acts = new Set<() => void>();
  const { columns = 80, rows = 24, input, ...rest } = given;
  const stdin = new PassThrough();
  if (input !== undefined) stdin.end(input);
  const io: TestIo = {
    stdout: '',
    stderr: '',
    out: (data) => void (io.stdout += Buffer.from(data as string).toString()),
    err: (text) => void (io.stderr += text),
    say: (line) => io.err(`godwit: ${line}\n`),
    outIsTerminal: false,
    errIsTerminal: false,
    columns: () => columns,
    rows: () => rows,
    stdin,
    env: {},
    folder: '/',
    onInterrupt: (act) => {
      acts.add(act);
      return () => acts.delete(act);
    },
    interrupt: () => {
      for (const act of acts) act();
    },
    ...rest,
  };
  return io;
}
