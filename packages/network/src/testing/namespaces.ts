/** Network namespaces that a test makes for itself, and programs in them. */
import { ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import type { RunCommand } from '../host-bridge';

/** Why this machine cannot make them, or null. */
export function namespacesUnsupported(): string | null {
  const probe = `godwit-probe-${process.pid}`;
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'delete', probe], { stdio: 'pipe' });
    execFileSync('test', ['-c', '/dev/net/tun']);
    return null;
  } catch (error) {
    return `network namespaces with TAP need root and /dev/net/tun: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** python3 is there wherever node-gyp is; ping(8) is not. */
const PING = `
import socket, struct, sys
def fold(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total > 0xffff: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.settimeout(2)
data = bytes(i & 255 for i in range(int(sys.argv[2])))
good = 0
for n in range(5):
    packet = struct.pack('!BBHHH', 8, 0, fold(struct.pack('!BBHHH', 8, 0, 0, 77, n) + data), 77, n) + data
    raw.sendto(packet, (sys.argv[1], 0))
    try:
        while True:
            answer = raw.recv(70000)[20:]
            if answer[0] == 0 and answer[4:] == packet[4:] and fold(answer) == 0: break
        good += 1
    except socket.timeout: pass
print(good)
`;

export class Namespace {
  private static count = 0;
  readonly name = `godwit-${process.pid}-${Namespace.count++}`;

  constructor() {
    execFileSync('ip', ['netns', 'add', this.name]);
    this.sh('ip link set lo up');
  }

  /** A command's output. Throws with its errors. */
  sh(command: string): string {
    return execFileSync('ip', ['netns', 'exec', this.name, 'sh', '-c', command], { stdio: 'pipe', encoding: 'utf8', timeout: 20_000 });
  }

  /** The same without stopping this process meanwhile. */
  shAsync(command: string): Promise<string> {
    return new Promise((resolve, reject) =>
      execFile('ip', ['netns', 'exec', this.name, 'sh', '-c', command], { timeout: 20_000, maxBuffer: 1 << 28 }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      ),
    );
  }

  /** Five echo requests of the kernel's own; how many came back whole. */
  ping(address: string, bytes = 1200): number {
    return Number(execFileSync('ip', ['netns', 'exec', this.name, 'python3', '-c', PING, address, String(bytes)], { encoding: 'utf8' }));
  }

  readonly run: RunCommand = (command, args) =>
    new Promise((resolve) =>
      execFile('ip', ['netns', 'exec', this.name, command, ...args], (error, _out, stderr) =>
        resolve({ code: error ? (error.code ?? 'killed') : 0, stderr }),
      ),
    );

  /** Starts a compiled program of this folder there; resolves when it is ready. */
  async start(program: string, options: object): Promise<Program> {
    const file = path.join(__dirname, '..', '..', 'dist', 'testing', `${program}.js`);
    const child = spawn('ip', ['netns', 'exec', this.name, process.execPath, file, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return Program.ready(child);
  }

  remove(): void {
    execFileSync('ip', ['netns', 'delete', this.name]);
  }
}

export class Program {
  private said = '';

  private constructor(private readonly child: ChildProcess) {}

  static async ready(child: ChildProcess): Promise<Program> {
    const program = new Program(child);
    let errors = '';
    child.stderr?.on('data', (chunk) => (errors += chunk));
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (chunk) => {
        program.said += chunk;
        resolve();
      });
      child.once('close', () => reject(new Error(errors)));
    });
    return program;
  }

  /** Closes its input and gives what it said after `ready`, and its exit code. */
  async end(): Promise<{ said: string; code: number | null }> {
    const closed = new Promise<number | null>((resolve) => this.child.once('close', resolve));
    this.child.stdin?.end();
    const code = await closed;
    return { said: this.said.replace('ready\n', '').trim(), code };
  }
}
