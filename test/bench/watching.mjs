/**
 * What watching costs a migration: one VM under load moves back and forth between two hosts of a real cluster, in turn
 * with nobody looking and with all of it looked at: live streams of the dashboard, consoles to which the guest prints
 * all the while, controller and agents scraped every second. Browsers run elsewhere in real life, and are not
 * part of it. Prints pause and total time of both, side by side.
 *
 *   node test/bench/watching.mjs [--moves 20 of each] [--pages 3] [--consoles 3] [--json FILE]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, webImages } from '../support/cluster.mjs';

const WebSocket = createRequire(import.meta.url)('ws');
const { values } = parseArgs({
  options: { moves: { type: 'string', default: '20' }, pages: { type: 'string', default: '3' }, consoles: { type: 'string', default: '3' }, json: { type: 'string' } },
});
const [moves, pages, consoles] = [values.moves, values.pages, values.consoles].map(Number);
const SCRAPE_MS = 1_000;
const SETTLE_MS = 1_500;
/** Keeps some memory changing, and prints. */
const LOAD = 'while :; do dd if=/dev/urandom of=/tmp/load bs=64k count=16 2>/dev/null; date; usleep 20000; done';

const cluster = await startCluster({ http: true, images: await webImages(), hosts: [{ name: 'alpha', config: { metrics: { listen: '127.0.0.1:0', tls: true } } }, { name: 'beta', config: { metrics: { listen: '127.0.0.1:0', tls: true } } }] });
const ca = readFileSync(path.join(cluster.certificates, 'ca.pem'));
const own = { ca, cert: readFileSync(path.join(cluster.certificates, 'cert.pem')), key: readFileSync(path.join(cluster.certificates, 'key.pem')) };
const say = (line) => process.stderr.write(`bench: ${line}\n`);

/** @returns {Promise<import('node:http').IncomingMessage>} */
const get = (url, options) => new Promise((resolve, reject) => https.get(url, { agent: false, ...options }, resolve).on('error', reject));
async function textOf(answer) {
  let text = '';
  for await (const piece of answer) text += String(piece);
  return text;
}

try {
  await cluster.startWeb('web1', { host: 'alpha' });
  const { token } = await cluster.api('Access').createToken({ name: 'bench', role: 'ROLE_ADMIN', validMs: 86_400_000 });
  const controller = { servername: 'godwit-controller', ca, headers: { authorization: `Bearer ${token}` } };
  const at = `${cluster.httpAddress}`;
  const targets = JSON.parse(await textOf(await get(`https://${at}/metrics/targets`, controller)));
  const scraped = [[`https://${at}/metrics`, controller], ...targets.map(({ targets: [address] }) => [`https://${address}/metrics`, { ...own, servername: 'godwit-host' }])];
  say(`scraped: ${scraped.map(([url]) => url).join(' ')}`);

  const first = await console_();
  await sleep(3_000);
  first.send(Buffer.from(`\n${LOAD} &\n`));
  await sleep(SETTLE_MS);
  first.close();

  /** Opens all that watches; gives how to end it, and what was seen. */
  async function watch() {
    let over = false;
    const seen = { bytes: 0, batches: 0, scrapes: 0 };
    const live = await Promise.all(Array.from({ length: pages }, () => get(`https://${at}/api/live`, controller)));
    for (const one of live) one.on('data', (data) => { seen.bytes += data.length; seen.batches++; }).on('error', () => {});
    const sockets = await Promise.all(Array.from({ length: consoles }, console_));
    for (const one of sockets) one.on('message', (data) => (seen.bytes += data.length));
    const scraping = scraped.map(async ([url, options]) => {
      while (!over) {
        if ((await textOf(await get(url, options))).includes('# HELP')) seen.scrapes++;
        await sleep(SCRAPE_MS);
      }
    });
    return async () => {
      over = true;
      for (const one of live) one.destroy();
      for (const one of sockets) one.terminate();
      await Promise.all(scraping);
      return seen;
    };
  }
  async function console_() {
    const socket = new WebSocket(`wss://${at}/api/console/web1`, controller);
    socket.on('error', (error) => say(`console: ${error.message}`));
    await new Promise((resolve) => socket.once('message', resolve));
    return socket;
  }

  const samples = { alone: [], watched: [] };
  const seen = { bytes: 0, batches: 0, scrapes: 0 };
  for (let move = 0; move < 2 * moves; move++) {
    // As often before as after the other, lest what grows with time fall to one of them.
    const isWatched = (move + (move >> 1)) % 2 === 1;
    const end = isWatched ? await watch() : undefined;
    await sleep(SETTLE_MS);
    const { migrationId } = await cluster.api('Migrations').migrate({ vm: 'web1' });
    const { outcome, record, line } = await cluster.moved(migrationId);
    if (outcome !== 'completed') throw new Error(`a move failed: ${line}`);
    samples[isWatched ? 'watched' : 'alone'].push({ pauseMs: record.pauseMs, totalMs: record.totalMs, wireBytes: record.counts.wireBytes });
    if (end) for (const [what, count] of Object.entries(await end())) seen[what] += count;
    say(`${move + 1} of ${2 * moves}: ${isWatched ? 'watched' : 'alone'} pause ${record.pauseMs.toFixed(1)} ms, total ${record.totalMs.toFixed(0)} ms`);
  }
  if (seen.scrapes === 0 || seen.batches === 0) throw new Error('nobody watched');
  const quantile = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
  const figure = (side, name, share) => quantile(samples[side].map((one) => one[name]), share);
  const rows = [['pause, median', 'pauseMs', 0.5], ['pause, 95 %', 'pauseMs', 0.95], ['total, median', 'totalMs', 0.5], ['total, 95 %', 'totalMs', 0.95]].map(([name, field, share]) => {
    const [alone, watched] = ['alone', 'watched'].map((side) => figure(side, field, share));
    return { name, alone, watched, ratio: watched / alone };
  });
  console.log(`${moves} moves each; watched: ${pages} live pages, ${consoles} consoles, ${scraped.length} scraped every ${SCRAPE_MS} ms (${seen.scrapes} scrapes, ${seen.batches} batches, ${(seen.bytes / 1e6).toFixed(1)} MB)`);
  console.log(`${''.padEnd(16)}${'alone'.padStart(10)}${'watched'.padStart(10)}${'ratio'.padStart(8)}`);
  for (const { name, alone, watched, ratio } of rows) console.log(`${name.padEnd(16)}${`${alone.toFixed(1)} ms`.padStart(10)}${`${watched.toFixed(1)} ms`.padStart(10)}${ratio.toFixed(2).padStart(8)}`);
  if (values.json) writeFileSync(values.json, JSON.stringify({ rows, samples, seen }, null, 2));
} finally {
  await cluster.stop();
}
