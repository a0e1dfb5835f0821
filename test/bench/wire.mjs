/**
 * The transport of migrations (packages/wire/src/migration) beside plain sockets and beside
 * the gRPC library's own streams, between two processes over the loopback address:
 *
 *   node test/bench/wire.mjs [--rounds 5] [--megabytes 512] [--json]
 *
 * The source sends messages as a migration does (three buffers in turn, each used again once its
 * send has settled); the target counts them. Then single messages of 64 bytes go back and forth.
 * All ways take turns within each round; figures are medians; CPU time is of either whole process.
 * A ratio compares with the socket of the same kind: TCP or TLS.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const wire = require('../../packages/wire');
const grpc = require('@grpc/grpc-js');

const SIZES = [64 * 1024, 512 * 1024];
const SMALL = 64;
const ROUND_TRIPS = 500;
const BUFFERS = 3;
const TOKEN = 'the-token-of-a-benchmark';
const EXCHANGE = '/godwit.v1.Migration/Exchange';

/** Name, what it is compared with, how the source serves it and the target uses it. */
const WAYS = [
  { name: 'TCP socket', serve: (ask) => serveSocket(ask, false), use: (job, at) => useSocket(job, at, false) },
  { name: 'godwit, plain', beside: 'TCP socket', serve: (ask) => serveGodwit(ask, false), use: (job, at) => useGodwit(job, at, false) },
  { name: 'grpc-js, plain', beside: 'TCP socket', serve: serveGrpc, use: useGrpc },
  { name: 'TLS socket', serve: (ask) => serveSocket(ask, true), use: (job, at) => useSocket(job, at, true) },
  { name: 'godwit, mTLS', beside: 'TLS socket', serve: (ask) => serveGodwit(ask, true), use: (job, at) => useGodwit(job, at, true) },
];

/** Certificates of this end, made by the target and told to the source. */
let own;
const context = () => ({ cert: own.certPem, key: own.keyPem, ca: own.caPem, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' });

// ── the source ───────────────────────────────────────────────────────────

async function source() {
  // What the next connection is to do: { size, count } or { echo: true }.
  let job;
  const ask = () => job;
  process.on('message', async (order) => {
    if (order.own) {
      own = order.own;
      const addresses = [];
      for (const way of WAYS) addresses.push(await way.serve(ask));
      process.send({ addresses });
    } else if (order.job) {
      job = order.job;
      process.send({ ready: true });
    } else process.send({ cpuMs: cpuMs() });
  });
  process.on('disconnect', () => process.exit());
}

async function sendAll({ size, count }, send) {
  let left = count;
  await Promise.all(
    Array.from({ length: BUFFERS }, async () => {
      const buffer = Buffer.alloc(size, 7);
      while (left-- > 0) await send(buffer);
    }),
  );
}

function serveSocket(ask, secure) {
  const server = (secure ? tls : net).createServer(
    { noDelay: true, ...(secure && { ...context(), requestCert: true, rejectUnauthorized: true }) },
    async (socket) => {
      socket.on('error', () => {});
      const job = ask();
      if (job.echo) return socket.on('data', (data) => socket.write(data));
      await sendAll(job, (buffer) => new Promise((resolve) => socket.write(buffer, resolve)));
      socket.end();
    },
  );
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${server.address().port}`)));
}

async function serveGodwit(ask, secure) {
  const listener = new wire.MigrationListener();
  const security = secure ? wire.serverTls(new wire.Certificates(own)) : wire.PLAIN;
  const server = await wire.serve({ address: '127.0.0.1:0', security, services: {}, raw: [listener] });
  const next = async () => {
    for (;;) {
      const transport = await listener.expect({ migrationId: 'bench', token: TOKEN, timeoutMs: 2 ** 31 - 1 });
      const job = ask();
      transport.listen({ message: (message) => job.echo && transport.send(Buffer.from(message)), closed: () => {} });
      if (!job.echo) void sendAll(job, (buffer) => transport.send(buffer)).then(() => transport.close());
    }
  };
  void next();
  return server.address;
}

const identity = (bytes) => bytes;

function serveGrpc(ask) {
  const server = new grpc.Server({ 'grpc.enable_channelz': 0 });
  const method = {
    path: EXCHANGE,
    requestStream: true,
    responseStream: true,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  server.addService(
    { Exchange: method },
    {
      Exchange: async (call) => {
        const job = ask();
        call.on('end', () => job.echo && call.end());
        call.on('data', (message) => job.echo && call.write(message));
        if (!job.echo) await sendAll(job, (buffer) => new Promise((resolve) => call.write(buffer, resolve))).then(() => call.end());
      },
    },
  );
  return new Promise((resolve) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_error, port) => resolve(`127.0.0.1:${port}`)),
  );
}

// ── the target ───────────────────────────────────────────────────────────

/** Each `use` does the job and gives bytes received, or the median round trip in µs. */
async function useSocket(job, address, secure) {
  const where = { host: '127.0.0.1', port: Number(address.split(':')[1]) };
  const socket = secure ? tls.connect({ ...where, ...context(), checkServerIdentity: () => undefined }) : net.connect(where);
  socket.setNoDelay(true);
  await new Promise((resolve, reject) => socket.once(secure ? 'secureConnect' : 'connect', resolve).once('error', reject));
  if (!job.echo) {
    let bytes = 0;
    socket.on('data', (data) => (bytes += data.length));
    await new Promise((resolve) => socket.once('end', resolve));
    return bytes;
  }
  let heard;
  socket.on('data', () => heard());
  const median = await roundTrips((message, resolve) => {
    heard = resolve;
    socket.write(message);
  });
  socket.destroy();
  return median;
}

async function useGodwit(job, address, secure) {
  const security = secure ? wire.clientTls(new wire.Certificates(own), { kind: 'host' }) : wire.PLAIN;
  const transport = await wire.dialMigration({ address, migrationId: 'bench', token: TOKEN, security });
  let bytes = 0;
  let heard = () => {};
  transport.listen({
    message: (message) => {
      bytes += message.length;
      heard();
    },
    closed: () => {},
  });
  const result =
    job.echo &&
    (await roundTrips((message, resolve) => {
      heard = resolve;
      void transport.send(message);
    }));
  if (job.echo) transport.close();
  await transport.closed;
  return job.echo ? result : bytes;
}

async function useGrpc(job, address) {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    'grpc-node.flow_control_window': 1024 * 1024,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
  });
  const call = client.makeBidiStreamRequest(EXCHANGE, identity, identity);
  let bytes = 0;
  let heard = () => {};
  call.on('data', (message) => {
    bytes += message.length;
    heard();
  });
  const over = new Promise((resolve, reject) => call.once('end', resolve).once('error', reject));
  const result =
    job.echo &&
    (await roundTrips((message, resolve) => {
      heard = resolve;
      call.write(message);
    }));
  call.end();
  await over;
  client.close();
  return job.echo ? result : bytes;
}

async function roundTrips(exchange) {
  const times = [];
  for (let number = 0; number < ROUND_TRIPS; number++) {
    const began = performance.now();
    await new Promise((resolve) => exchange(Buffer.alloc(SMALL, number), resolve));
    times.push((performance.now() - began) * 1000);
  }
  return median(times);
}

// ── both together ────────────────────────────────────────────────────────

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function main() {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '5' }, megabytes: { type: 'string', default: '512' }, json: { type: 'boolean' } },
  });
  const folder = mkdtempSync(path.join(tmpdir(), 'godwit-bench-wire-'));
  const child = fork(fileURLToPath(import.meta.url), ['--source']);
  const tell = (order) =>
    new Promise((resolve, reject) => {
      const failed = () => reject(new Error('the source has died'));
      child.once('exit', failed);
      child.once('message', (answer) => {
        child.off('exit', failed);
        resolve(answer);
      });
      child.send(order);
    });
  const figures = WAYS.map(() => ({ roundTrips: [], sizes: SIZES.map(() => ({ rates: [], sourceCpu: [], targetCpu: [] })) }));
  try {
    const authority = await wire.Authority.open(folder);
    own = await authority.certify({ kind: 'host', hostId: 'bench' }, { addresses: ['127.0.0.1'] });
    const { addresses } = await tell({ own });
    const rounds = Number(values.rounds);
    // Round 0 warms up both processes and is not counted.
    for (let round = 0; round <= rounds; round++) {
      process.stderr.write(`bench: round ${round} of ${rounds}\n`);
      for (const [number, way] of WAYS.entries()) {
        await tell({ job: { echo: true } });
        const trip = await way.use({ echo: true }, addresses[number]);
        if (round > 0) figures[number].roundTrips.push(trip);
        for (const [index, size] of SIZES.entries()) {
          const job = { size, count: Math.ceil((Number(values.megabytes) * 1e6) / size) };
          await tell({ job });
          const before = [(await tell({})).cpuMs, cpuMs(), performance.now()];
          const bytes = await way.use(job, addresses[number]);
          const seconds = (performance.now() - before[2]) / 1000;
          if (bytes !== job.size * job.count) throw new Error(`${way.name}: ${bytes} bytes arrived of ${job.size * job.count}`);
          const after = [(await tell({})).cpuMs, cpuMs()];
          if (round === 0) continue;
          const { rates, sourceCpu, targetCpu } = figures[number].sizes[index];
          rates.push(bytes / 1e6 / seconds);
          sourceCpu.push(((after[0] - before[0]) / bytes) * 1e9);
          targetCpu.push(((after[1] - before[1]) / bytes) * 1e9);
        }
      }
    }
  } finally {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  report(figures, values.json);
}

function report(figures, json) {
  const of = (name) => figures[WAYS.findIndex((way) => way.name === name)];
  const rows = WAYS.map(({ name, beside }, number) => ({
    name,
    sizes: SIZES.map((bytes, index) => {
      const { rates, sourceCpu, targetCpu } = figures[number].sizes[index];
      const peer = beside && of(beside).sizes[index];
      return {
        bytes,
        megabytesPerSecond: median(rates),
        ratio: peer && median(rates) / median(peer.rates),
        sourceCpuMsPerGigabyte: median(sourceCpu),
        targetCpuMsPerGigabyte: median(targetCpu),
      };
    }),
    roundTripMicroseconds: median(figures[number].roundTrips),
    roundTripRatio: beside && median(figures[number].roundTrips) / median(of(beside).roundTrips),
  }));
  if (json) return console.log(JSON.stringify({ rows, figures }, null, 2));
  for (const [index, bytes] of SIZES.entries()) {
    console.log(
      `${`messages of ${bytes / 1024} KiB`.padEnd(24)}${'MB/s'.padStart(8)}${'of socket'.padStart(12)}${'CPU ms/GB: source'.padStart(20)}${'target'.padStart(8)}`,
    );
    for (const { name, sizes } of rows) {
      const { megabytesPerSecond, ratio, sourceCpuMsPerGigabyte, targetCpuMsPerGigabyte } = sizes[index];
      console.log(
        `  ${name.padEnd(22)}${megabytesPerSecond.toFixed(0).padStart(8)}${(ratio === undefined ? '' : `${(ratio * 100).toFixed(0)} %`).padStart(12)}${sourceCpuMsPerGigabyte.toFixed(0).padStart(20)}${targetCpuMsPerGigabyte.toFixed(0).padStart(8)}`,
      );
    }
  }
  console.log(`${`round trip of ${SMALL} bytes`.padEnd(24)}${'µs'.padStart(8)}${'of socket'.padStart(12)}`);
  for (const { name, roundTripMicroseconds, roundTripRatio } of rows)
    console.log(
      `  ${name.padEnd(22)}${roundTripMicroseconds.toFixed(0).padStart(8)}${(roundTripRatio === undefined ? '' : `${roundTripRatio.toFixed(1)} ×`).padStart(12)}`,
    );
}

if (process.argv.includes('--source')) await source();
else await main();
