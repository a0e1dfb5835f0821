/** A client of one VM: it writes numbers, one request after the other, and remembers which it was told are on the disk. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than any pause of a sound migration on a slow machine. */
const PATIENCE_MS = 20_000;
/** Between two requests: each starts a process in the guest, and the machine has other work. */
const BREATH_MS = 1_000;

export class Client {
  /** Numbers that the VM has acknowledged. */
  acknowledged = [];
  /** @type {{ atMs: number, number: number, line: string }[]} */
  failures = [];
  slowestMs = 0;
  next = 1;
  isOver = false;

  constructor(name, address) {
    Object.assign(this, { name, address });
    this.done = this.run();
  }

  /** Requests that failed since then. */
  failuresSince(ms) {
    return this.failures.filter(({ atMs }) => atMs >= ms).map(({ number, line }) => `${this.name}: write ${number}: ${line}`);
  }

  async end() {
    this.isOver = true;
    await this.done;
  }

  async run() {
    while (!this.isOver) {
      const number = this.next++;
      const began = Date.now();
      try {
        const answer = await ask(this.address, `/cgi-bin/now?write=${number}`);
        if (!answer.includes(`written ${number}\n`)) throw new Error(`it answered '${answer.trim()}'`);
        this.acknowledged.push(number);
        this.slowestMs = Math.max(this.slowestMs, Date.now() - began);
      } catch (error) {
        this.failures.push({ atMs: Date.now(), number, line: error.message });
      }
      await sleep(BREATH_MS);
    }
  }

  /** What stands on the VM's disk, in its order. */
  async written() {
    const text = await ask(this.address, '/cgi-bin/now?read');
    return text.split('\n').filter((line) => /^\d+$/.test(line)).map(Number);
  }
}

/** The body of the answer, on a connection of its own. */
export function ask(host, path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port: 80, path, agent: false, timeout: PATIENCE_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body += text));
      response.once('end', () => (response.statusCode === 200 && response.complete ? resolve(body) : reject(new Error(`status ${response.statusCode}: ${body}`))));
      response.once('error', reject);
    });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
    request.once('error', reject);
  });
}

/** Put over the guest's page /cgi-bin/now: what it says was written is on the disk. */
export const CGI = `#!/bin/sh
case $QUERY_STRING in
  write=*) echo \${QUERY_STRING#write=} >> /srv/log && sync && said="written \${QUERY_STRING#write=}" || said="not written" ;;
  read) said=$(cat /srv/log) ;;
esac
printf 'Content-Type: text/plain\\r\\nCache-Control: no-store\\r\\n\\r\\n%s\\n' "$said"
`;
