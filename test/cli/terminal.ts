/** Commands that go on while a test does something: on a terminal of their own (util-linux's `script` makes it), or without one. */
import { type ChildProcess, spawn } from 'node:child_process';

const WAIT_MS = 60_000;
const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

class Going {
  /** All of its standard output; of a terminal all that was written to it, escape sequences and all. */
  text = '';
  errors = '';
  readonly ended: Promise<number | null>;

  constructor(protected readonly child: ChildProcess) {
    child.stdout!.setEncoding('utf8').on('data', (data: string) => (this.text += data));
    child.stderr!.setEncoding('utf8').on('data', (data: string) => (this.errors += data));
    child.stdin!.on('error', () => {});
    this.ended = new Promise((resolve) => child.once('close', resolve));
    void this.ended.then(() => running.delete(this));
    running.add(this);
  }

  type(keys: string): void {
    this.child.stdin!.write(keys);
  }

  /** No more keys come. */
  close(): void {
    this.child.stdin!.end();
  }

  /** Until it has shown that. */
  async shows(wanted: string | RegExp, from = 0): Promise<void> {
    const seen = (): boolean => (typeof wanted === 'string' ? this.text.includes(wanted, from) : wanted.test(this.text.slice(from)));
    for (const limit = Date.now() + WAIT_MS; !seen(); await new Promise((resolve) => setTimeout(resolve, 30)))
      if (Date.now() > limit) throw new Error(`it did not show ${String(wanted)}:\n${this.text.slice(-2_000)}${this.errors}`);
  }

  /** Ctrl-C, or what it is without a terminal; its code. */
  stop(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.ended;
  }

  kill(): void {
    this.child.kill('SIGTERM');
  }
}

export class Terminal extends Going {
  constructor(argv: readonly string[], env: NodeJS.ProcessEnv, { columns = 120, rows = 40 } = {}) {
    const line = `stty cols ${columns} rows ${rows}; exec ${argv.map(quoted).join(' ')}`;
    super(
      spawn('script', ['-q', '-e', '-c', line, '/dev/null'], {
        env: { ...env, TERM: 'xterm', SHELL: '/bin/sh', NO_COLOR: '1' },
        stdio: 'pipe',
      }),
    );
  }

  override stop(): Promise<number | null> {
    this.type('\x03');
    return this.ended;
  }
}

/** Its output goes to pipes. */
export class Background extends Going {
  constructor([program, ...args]: readonly string[], env: NodeJS.ProcessEnv) {
    super(spawn(program, args, { env, stdio: 'pipe' }));
  }
}

const running = new Set<Going>();
/** After a test that failed. */
export function endTerminals(): void {
  for (const one of running) one.kill();
}
