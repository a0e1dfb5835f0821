/** Calls over real sockets: what a handler gives, throws and is told; back-pressure; cancellation; how a server begins and ends. */
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import type { ServiceClient } from '../client/calls';
import { connect, type Wire } from '../client/connect';
import { WireError } from '../errors';
import { Queue } from '../queue';
import { PLAIN } from '../security';
import { rest, Scratch, until, vmmWith } from '../testing/support';
import type { Call } from './call';
import type { Handlers } from './handlers';
import { serve, type ServeOptions, type WireServer } from './serve';

let scratch: Scratch;
beforeEach(() => (scratch = new Scratch()));
afterEach(() => scratch.clear());

async function pair(
  methods: Partial<Handlers<'Vmm'>>,
  options: Partial<ServeOptions> = {},
): Promise<{ server: WireServer; wire: Wire; vmm: ServiceClient<'Vmm'> }> {
  const server = await serve({ address: `unix:${scratch.path('s')}`, security: PLAIN, services: { Vmm: vmmWith(methods) }, ...options });
  scratch.defer(() => server.close(100));
  const wire = connect({ address: server.address, security: PLAIN, bearer: 'secret' });
  scratch.defer(() => wire.close());
  return { server, wire, vmm: wire.client('Vmm') };
}
const caught = async (promise: Promise<unknown>): Promise<WireError> => {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (error) => error,
  );
  expect(error).toBeInstanceOf(WireError);
  return error;
};

test('a handler gets the request and who calls, and its answer comes back whole', async () => {
  let seen: Call | undefined;
  const { vmm } = await pair({
    getStatus: (_request, call) => {
      seen = call;
      return { line: 'runs', leaseEpoch: 2 ** 40, vm: { name: 'web', state: 'VM_STATE_RUNNING' } };
    },
  });
  const status = await vmm.getStatus({}, { metadata: { 'x-more': 'yes' } });
  expect(status).toMatchObject({ line: 'runs', leaseEpoch: 2 ** 40, pauses: [], vm: { name: 'web', state: 'VM_STATE_RUNNING' } });
  expect(seen).toMatchObject({ peer: { kind: 'local' }, address: 'unix', path: '/godwit.v1.Vmm/GetStatus', bearer: 'secret' });
  expect(seen!.metadata('x-more')).toBe('yes');
  expect(seen!.deadlineAtMs).toBeGreaterThan(Date.now());
  expect(seen!.deadlineAtMs).toBeLessThan(Date.now() + 31_000);
});

test('a WireError comes out as it was thrown, on one line; anything else is a defect and is told to the server', async () => {
  const defects: unknown[] = [];
  const { vmm } = await pair(
    {
      pause: () =>
        Promise.reject(new WireError('precondition', 'the VM wäb is being moved;\n it runs on host-a: 100 %', { 'godwit-leader': 'h:1' })),
      resume: () => Promise.reject(new TypeError('undefined is no function')),
      async *watchStatus() {
        yield { pid: 1 };
        throw new WireError('aborted', 'it fell too far behind: watch again');
      },
      getStats: () => ({ counters: { n: 'x' as never } }),
    },
    { onDefect: (error) => defects.push(error) },
  );
  expect(await caught(vmm.pause({}))).toMatchObject({
    code: 'precondition',
    message: 'the VM wäb is being moved; it runs on host-a: 100 %',
    trailers: { 'godwit-leader': 'h:1' },
    remote: true,
  });
  expect(await caught(vmm.resume({}))).toMatchObject({ code: 'internal', message: 'a defect, please report it: undefined is no function' });
  expect(defects).toHaveLength(1);
  const watch = vmm.watchStatus({});
  expect((await watch.next()).value).toMatchObject({ pid: 1 });
  expect(await caught(watch.next())).toMatchObject({ code: 'aborted', message: 'it fell too far behind: watch again' });
  expect(await caught(vmm.getStats({}))).toMatchObject({ code: 'invalid', message: 'VmmStats.counters is to be a number, not "x"' });
});

test('messages go both ways as fast as they are taken, and not faster', async () => {
  let produced = 0;
  const { vmm } = await pair({
    async *watchStatus() {
      for (;;) yield { line: 'x'.repeat(10_000), pid: produced++ };
    },
    async *console(requests) {
      for await (const { data } of requests) {
        await rest(5);
        yield { data };
      }
    },
  });
  // 10 KB each: windows and buffers hold some hundred, no more.
  for await (const { pid } of vmm.watchStatus({})) {
    if (pid === 3) {
      await rest(300);
      const then = produced;
      await rest(300);
      expect(produced).toBe(then);
    }
    if (pid === 600) break;
  }
  let sent = 0;
  const keys = (async function* () {
    for (; sent < 2_000; sent++) yield { data: Buffer.alloc(10_000, sent) };
  })();
  let heard = 0;
  for await (const { data } of vmm.console(keys)) {
    expect(data[0]).toBe(heard % 256);
    if (++heard === 20) break;
  }
  expect(sent).toBeLessThan(500);
});

test('leaving the loop, the signal, and the deadline each end a call on both sides', async () => {
  const ends: string[] = [];
  const watch = (name: string, call: Call) => call.signal.addEventListener('abort', () => ends.push(name));
  const { vmm } = await pair({
    async *watchStatus({ intervalMs }, call) {
      watch(`watch ${intervalMs}`, call);
      yield {};
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
    },
    getStatus: (_request, call) => {
      watch('status', call);
      return new Promise(() => {});
    },
  });
  for await (const _ of vmm.watchStatus({ intervalMs: 1 })) break;
  await until(() => ends.includes('watch 1'), 'the handler hears that the loop was left');

  const stop = new AbortController();
  const reading = (async () => {
    for await (const _ of vmm.watchStatus({ intervalMs: 2 }, { signal: stop.signal })) stop.abort(new Error('the operator pressed Ctrl-C'));
  })();
  await expect(reading).rejects.toThrow('the operator pressed Ctrl-C');
  await until(() => ends.includes('watch 2'), 'the handler hears of the signal');

  expect(await caught(vmm.getStatus({}, { deadlineMs: 200 }))).toMatchObject({
    code: 'deadline',
    message: expect.stringMatching(/did not answer in time: whether it did what was asked is not known$/),
  });
  await until(() => ends.includes('status'), 'the handler hears of the deadline');
  await expect(vmm.getStatus({}, { signal: AbortSignal.abort(new Error('never mind')) })).rejects.toThrow('never mind');
});

test('requests that throw end their call with that', async () => {
  let gone = false;
  const { vmm } = await pair({
    async *console(requests, call) {
      call.signal.addEventListener('abort', () => (gone = true));
      for await (const { data } of requests) yield { data };
    },
  });
  const requests = new Queue<{ data: Uint8Array }>();
  await requests.push({ data: Buffer.from('a') });
  await expect(
    (async () => {
      for await (const _ of vmm.console(requests)) requests.end(new Error('the terminal is gone'));
    })(),
  ).rejects.toThrow('the terminal is gone');
  await until(() => gone, 'the handler hears of it');
});

test('a handler may answer without reading all, and after the requests have ended', async () => {
  const { vmm } = await pair({
    async *console(requests) {
      for await (const { data } of requests) {
        yield { data };
        break;
      }
      yield { data: Buffer.from('bye') };
    },
  });
  const heard: string[] = [];
  const two = (async function* () {
    yield { data: Buffer.from('one') };
    yield { data: Buffer.from('two') };
  })();
  for await (const { data } of vmm.console(two)) heard.push(data.toString());
  expect(heard).toEqual(['one', 'bye']);
});

test('a unix socket is its owner’s only, takes the place of a dead one, never of a live one, and goes at the end', async () => {
  const path = scratch.path('vmm.sock');
  const options: ServeOptions = { address: `unix:${path}`, security: PLAIN, services: { Vmm: vmmWith({}) } };
  // What a killed process leaves: a socket that nobody listens on.
  const { spawnSync } = await import('node:child_process');
  spawnSync(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  expect(existsSync(path)).toBe(true);
  const first = await serve(options);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await caught(serve(options))).toMatchObject({
    code: 'exists',
    message: `another process serves at ${path} already: choose another socket`,
  });
  await first.close();
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, 'precious');
  expect(await caught(serve(options))).toMatchObject({ code: 'precondition' });
  expect(existsSync(path)).toBe(true);
  chmodSync(path, 0o600);
});

test('plain TCP is for the loopback address; a taken port and a wrong address are told', async () => {
  const services = { Vmm: vmmWith({}) };
  expect(await caught(serve({ address: '0.0.0.0:0', security: PLAIN, services }))).toMatchObject({
    code: 'precondition',
    message: expect.stringMatching(/^without TLS only the loopback address/),
  });
  expect(() => connect({ address: '192.0.2.1:1', security: PLAIN })).toThrow(/^without TLS only this host can be called/);
  const server = await serve({ address: '127.0.0.1:0', security: PLAIN, services });
  scratch.defer(() => server.close());
  expect(await caught(serve({ address: server.address, security: PLAIN, services }))).toMatchObject({ code: 'exists' });
  for (const address of ['nonsense', 'host:99999', 'unix:relative', `unix:/${'x'.repeat(200)}`, 'a b:1'])
    expect(await caught(serve({ address, security: PLAIN, services }))).toMatchObject({ code: 'invalid' });
});

test('a server that closes lets calls under way end, and cuts those that do not', async () => {
  const { server, vmm } = await pair({
    getStatus: async () => {
      await rest(200);
      return { line: 'done' };
    },
    async *watchStatus(_request, call) {
      yield {};
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
    },
  });
  const status = vmm.getStatus({});
  const watch = vmm.watchStatus({});
  await watch.next();
  await rest(50);
  const closed = server.close(1_000);
  expect(await status).toMatchObject({ line: 'done' });
  expect(await caught(watch.next())).toMatchObject({ code: 'unavailable' });
  await closed;
  expect(await caught(vmm.getStatus({}))).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^there is no socket .*: is the process running/),
  });
});

test('garbage, silence and half a request on the port disturb nobody else, and are ended', async () => {
  const refused: string[] = [];
  const server = await serve({
    address: '127.0.0.1:0',
    security: PLAIN,
    services: { Vmm: vmmWith({ getStatus: () => ({ pid: 7 }) }) },
    onRefused: (line) => refused.push(line),
    limits: { handshakeMs: 300, maxConnections: 4 },
  });
  scratch.defer(() => server.close());
  const wire = connect({ address: server.address, security: PLAIN });
  scratch.defer(() => wire.close());
  const vmm = wire.client('Vmm');
  await vmm.getStatus({});
  const port = Number(server.address.split(':')[1]);
  const attack = (bytes: string | Buffer): Promise<void> =>
    new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.resume();
    });
  await Promise.all([attack('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), attack(''), attack('PRI * HTTP/2.0\r\n')]);
  expect(refused.some((line) => /did not begin to speak HTTP\/2 within 0\.3 s/.test(line))).toBe(true);
  await attack(Buffer.alloc(100_000, 0xa5));
  // One more than may be: the fifth is refused, and there is room again once others have gone.
  const idle = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise<net.Socket>((resolve) => {
          const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
          socket.on('error', () => {});
        }),
    ),
  );
  await attack('x');
  expect(refused.some((line) => /there are 4 already/.test(line))).toBe(true);
  for (const socket of idle) socket.destroy();
  expect(await vmm.getStatus({})).toMatchObject({ pid: 7 });
});

test('a message that is too long is refused, and the next call goes on', async () => {
  const { vmm } = await pair(
    {
      migrate: async function* ({ targetHost }) {
        yield { line: String(targetHost.length) };
      },
      getStatus: () => ({ pid: 7 }),
    },
    { limits: { maxMessageBytes: 10_000 } },
  );
  expect(await caught(vmm.migrate({ targetHost: 'x'.repeat(20_000) }).next())).toMatchObject({
    code: 'exhausted',
    message: expect.stringMatching(/is too long/),
  });
  expect((await vmm.migrate({ targetHost: 'x'.repeat(9_000) }).next()).value).toMatchObject({ line: '9000' });
  expect(await vmm.getStatus({})).toMatchObject({ pid: 7 });
});
