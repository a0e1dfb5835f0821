/**
 * Proves, in Debian's chromium on a real cluster: one logs in, opens a VM, types into its console, starts a migration by
 * clicking, sees its rounds and its pause arrive without reloading, and the console goes on over the move; another one is
 * cancelled and the VM stays; every page works in both themes without a serious finding of axe-core, an error in a script
 * or a request that the page's own policy refuses; a page whose controller has gone says so, and comes back with it.
 */
import type { Browser, Page } from 'playwright-core';
import { startCluster, webImages } from '../support/cluster.mjs';
import { accessibilityProblems, logIn, openPage, startBrowser } from './browser.mjs';

/** A machine that does a lot else may hold things up. */
const PATIENT_MS = 60_000;

type Cluster = Awaited<ReturnType<typeof startCluster>>;
let cluster: Cluster;
let admin: { user: string; password: string };
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  cluster = await startCluster({ http: true, images: await webImages(), hosts: [{ name: 'alpha' }, { name: 'beta' }] });
  await cluster.startWeb('web1', { host: 'alpha' });
  if (!cluster.admin) throw new Error('the cluster made no admin');
  admin = cluster.admin;
  browser = await startBrowser();
  ({ page, problems } = await openPage(browser, `https://${cluster.httpAddress}`));
  page.setDefaultTimeout(PATIENT_MS);
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

test('a wrong password is said, the right one lets in', async () => {
  await page.goto('/vms/web1');
  await page.getByLabel('User').fill(admin.user);
  await page.getByLabel('Password').fill('certainly wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('the user or the password is wrong').waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);
  await logIn(page, admin);
  await page.getByRole('link', { name: /^web1/ }).first().waitFor();
});

test('a migration begun by clicking is seen live, and the console goes on over it', async () => {
  await page.goto('/vms/web1');
  await page.getByRole('button', { name: 'Open the console' }).click();
  await page.getByText('connected', { exact: true }).waitFor();
  await page.locator('.console-box').click();
  await typeUntil('echo before-$((20+3))', 'before-23');

  await migrate('4');
  await page.getByText('sending', { exact: false }).first().waitFor();
  // What is sent is limited to 4 MB a second: the first round takes seconds, and is seen under way.
  await page.locator('.figure', { hasText: 'Remaining' }).getByText(/MiB|KiB/).first().waitFor();
  await page.getByRole('button', { name: 'Change while it runs' }).click();
  await page.getByRole('spinbutton', { name: 'Bandwidth' }).fill('0');
  await page.getByRole('button', { name: 'Change', exact: true }).click();
  await page.locator('.pause-bar').waitFor();
  const parts = await page.locator('.pause-parts dd').allTextContents();
  expect(parts.length).toBe(6);
  expect(parts.every((text) => /^[\d.]+ (ms|s)$/.test(text) || text === '–')).toBe(true);
  expect(await page.locator('.rounds tbody tr').count()).toBeGreaterThan(0);
  await page.locator('.page-sub', { hasText: /beta/ }).waitFor();
  expect(await cluster.api('Vms').getVm({ vm: 'web1' })).toMatchObject({ hostName: 'beta' });

  // The page that had the console is left; it opens again where the VM is now, with what was printed before.
  await page.getByRole('link', { name: 'web1' }).first().click();
  await page.getByRole('button', { name: 'Open the console' }).click();
  await page.getByText('connected', { exact: true }).waitFor();
  const { migrationId } = await cluster.api('Migrations').migrate({ vm: 'web1', toHost: 'alpha', settings: { maxPauseMs: 10_000, policies: ['throttle', 'extend', 'force'] } });
  await cluster.moved(migrationId);
  await page.locator('.console-box', { hasText: 'moved to alpha' }).waitFor();
  await page.locator('.console-box').click();
  await typeUntil('echo after-$((20+4))', 'after-24');
});

test('one that is cancelled says where the VM runs', async () => {
  await page.goto('/vms/web1');
  await migrate('1');
  await page.getByRole('button', { name: 'Cancel migration' }).click();
  await page.locator('.stages.cancelled').waitFor();
  expect(await page.locator('.page-sub').textContent()).toContain('alpha');
  expect(await cluster.api('Vms').getVm({ vm: 'web1' })).toMatchObject({ hostName: 'alpha', state: 'VM_STATE_RUNNING' });
});

test('every page, in both themes, has no serious finding', async () => {
  const migration = new URL(page.url()).pathname;
  const found: string[] = [];
  const pages = { dark: ['/', '/vms', '/vms/web1', '/hosts', '/hosts/alpha', '/migrations', migration, '/events'], light: ['/wall', '/vms/web1', '/hosts', migration, '/events'] };
  for (const [theme, paths] of Object.entries(pages)) {
    await page.evaluate(`localStorage.setItem('godwit.theme', '${theme}')`);
    for (const at of paths) {
      await page.goto(at);
      await page.locator('h1').waitFor();
      if (at === '/vms/web1') {
        await page.getByRole('button', { name: 'Migrate…' }).click();
        await page.locator('.verdict').first().waitFor();
      }
      for (const one of await accessibilityProblems(page)) found.push(`${theme} ${at}: ${one}`);
    }
  }
  expect(found).toEqual([]);
});

test('keys lead everywhere', async () => {
  await page.goto('/');
  await page.locator('h1').waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('v');
  await page.waitForURL('**/vms');
  await page.keyboard.press('/');
  await page.keyboard.type('nobody');
  await page.getByText('None is like that.').waitFor();
});

test('a controller that has gone is said, and the page comes back with it', async () => {
  await page.goto('/');
  await page.getByText('live', { exact: true }).waitFor();
  cluster.controllers[0].kill();
  await page.getByRole('alert').getByText('No connection to the controller').waitFor();
  await cluster.controllers[0].start();
  await page.getByText('live', { exact: true }).waitFor();
  expect(problems.filter((line) => !/ERR_|WebSocket/.test(line))).toEqual([]);
});

async function migrate(megabytes: string): Promise<void> {
  await page.getByRole('button', { name: 'Migrate…' }).click();
  await page.locator('.verdict').first().waitFor();
  await page.getByRole('spinbutton', { name: 'Bandwidth' }).fill(megabytes);
  await page.getByRole('button', { name: 'Migrate', exact: true }).click();
  await page.waitForURL('**/migrations/*');
}

/** A guest that is still starting its shell loses what was typed: it is typed again. */
async function typeUntil(line: string, shown: string): Promise<void> {
  const found = page.locator('.console-box', { hasText: shown });
  for (let tries = 0; tries < 10; tries++) {
    await page.keyboard.type(`\n${line}\n`);
    if (await found.waitFor({ timeout: 5_000 }).then(() => true, () => false)) return;
  }
  throw new Error(`the console never showed ${shown}: ${await page.locator('.console-box').textContent()}`);
}
