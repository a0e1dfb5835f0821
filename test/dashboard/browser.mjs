/**
 * Debian's chromium, driven by playwright-core, on a dashboard: what tests, screenshots and the benchmark share. Anything the
 * page should not do (an error in a script, a request refused by its own policy) is kept in `problems`.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const EXECUTABLES = [process.env.GODWIT_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** @returns {Promise<import('playwright-core').Browser>} */
export function startBrowser() {
  const executablePath = EXECUTABLES.find((file) => file && existsSync(file));
  if (!executablePath) throw new Error('there is no chromium: node scripts/setup.mjs --tests installs it, or name one in $GODWIT_CHROMIUM');
  // No sandbox: tests run as root in containers; the pages are our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} url of the dashboard
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ baseURL: url, ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 }, colorScheme: 'dark', ...options });
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.stack ?? error.message));
  page.on('console', (message) => {
    // A refused request is answered, and shown by the page; the browser's own line about it is no news.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) problems.push(message.text());
  });
  return { context, page, problems };
}

/** @param {import('playwright-core').Page} page */
export async function logIn(page, { user, password }) {
  await page.goto('/');
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('live', { exact: true }).waitFor();
}

/** What axe-core finds that is serious or critical, a line each. @param {import('playwright-core').Page} page */
export async function accessibilityProblems(page) {
  // Playwright's own world: the page's policy lets no foreign script in.
  if (!(await page.evaluate('typeof axe !== "undefined"'))) await page.evaluate(require('axe-core').source);
  const found = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary.split('\n').slice(1).join(' ')}`));
}
