/**
 * docs/images/*.png: every page of the dashboard, from a real cluster of three hosts with Linux guests, one of which is on
 * its way. Both themes.
 *
 *   node scripts/screenshots.mjs
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { logIn, openPage, startBrowser } from '../test/dashboard/browser.mjs';
import { startCluster, webImages } from '../test/support/cluster.mjs';
import { root } from './lib/run.mjs';

const FOLDER = join(root, 'docs/images');
/** Slow enough to be seen: the first round takes seconds. */
const SLOWLY = { bandwidthBytesPerSecond: 2.5e6 };
const PAGES = [
  ['cluster', '/'],
  ['vms', '/vms'],
  ['host', '/hosts/oslo'],
  ['hosts', '/hosts'],
  ['migrations', '/migrations'],
  ['events', '/events'],
  ['wall', '/wall'],
];

mkdirSync(FOLDER, { recursive: true });
const cluster = await startCluster({ http: true, hosts: [{ name: 'oslo' }, { name: 'riga' }, { name: 'turku' }], images: await webImages() });
let browser;
try {
  const places = { web1: 'oslo', web2: 'oslo', web3: 'riga', db1: 'turku' };
  for (const [name, host] of Object.entries(places)) await cluster.startWeb(name, { host });
  await cluster.startWeb('spare', { start: false });
  browser = await startBrowser();
  const { page } = await openPage(browser, `https://${cluster.httpAddress}`, { deviceScaleFactor: 1.5 });
  await page.goto('/');
  await page.getByLabel('User').waitFor();
  await shoot(page, 'login');
  await logIn(page, cluster.admin);
  // One that has moved, for the history.
  const { migrationId } = await cluster.api('Migrations').migrate({ vm: 'web3', toHost: 'turku' });
  await cluster.moved(migrationId);

  await page.goto('/vms/web1');
  await page.getByRole('button', { name: 'Open the console' }).click();
  await page.getByText('connected', { exact: true }).waitFor();
  await page.locator('.console-box').click();
  await page.keyboard.type('\nuname -a; uptime; df -h /\n');
  await page.waitForTimeout(2_500);
  await shoot(page, 'vm');
  await page.getByRole('button', { name: 'Migrate…' }).click();
  await page.locator('.verdict').first().waitFor();
  await shoot(page, 'migrate');
  await page.getByRole('button', { name: 'Leave it' }).click();

  const moving = await cluster.api('Migrations').migrate({ vm: 'web1', toHost: 'riga', settings: { ...SLOWLY, policies: [] } });
  await page.goto('/');
  await page.locator('.chip.moving').waitFor();
  await page.waitForTimeout(1_200);
  await shoot(page, 'cluster-moving');
  await page.goto(`/migrations/${moving.migrationId}`);
  await page.waitForTimeout(2_500);
  await shoot(page, 'migration-live');
  await cluster.moved(moving.migrationId);
  await page.locator('.pause-bar').waitFor();
  await shoot(page, 'migration');
  for (const theme of ['dark', 'light']) {
    await page.evaluate(`localStorage.setItem('godwit.theme', '${theme}')`);
    for (const [name, at] of PAGES) {
      if (name === 'wall') await page.setViewportSize({ width: 1920, height: 1080 });
      await page.goto(at);
      await page.locator('h1').waitFor();
      await page.waitForTimeout(400);
      await shoot(page, theme === 'dark' ? name : `${name}-light`);
      await page.setViewportSize({ width: 1440, height: 900 });
    }
  }
} finally {
  await browser?.close();
  await cluster.stop();
}

async function shoot(page, name) {
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  console.log(`docs/images/${name}.png`);
}
