// The demo as a process of its own, and a browser that opens its page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { pictureEnvironment } from './pictures.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BINARY = process.env.JIEFENG_BIN;
export const KNOWLEDGE = join(ROOT, 'knowledge');
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SCREENSHOT_DIR = process.env.SCREENSHOT_DIR;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const EXPECT_TIMEOUT_MS = 10_000;
const MOST_TABS = 120;

export const SIZES = [
  { name: 'phone', context: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 } },
  { name: 'desktop', context: { viewport: { width: 1440, height: 900 } } },
];

assert.ok(BINARY, 'JIEFENG_BIN must name the program');

/** Starts the demo on a Sunday, 22 November 2026, 10:00. */
export async function startDemo(...more) {
  const data = await mkdtemp(join(tmpdir(), 'jiefeng-page-'));
  const demo = ['demo', '--listen', '127.0.0.1:0', '--simulator-listen', '127.0.0.1:0', '--data', data, ...more];
  const child = spawn(BINARY, demo, {
    cwd: ROOT,
    env: { ...process.env, ...pictureEnvironment(), JIEFENG_NOW: '2026-11-22T10:00:00+08:00' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(overdue);
    }
    await rm(data, { recursive: true, force: true });
  };
  try {
    return { ...(await printedAddresses(child)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address of the chat page, which has nothing behind its `/`, and the link that makes the console's first admin. */
function printedAddresses(child) {
  return new Promise((resolve, reject) => {
    const overdue = setTimeout(() => reject(new Error('no addresses were printed')), START_TIMEOUT_MS);
    let address;
    createInterface({ input: child.stdout }).on('line', (line) => {
      address ??= /http:\/\/127\.0\.0\.1:\d+\/(?=\s|$)/.exec(line)?.[0];
      const consoleLink = /http:\S+\/console\/link\/\S+/.exec(line)?.[0];
      if (!address || !consoleLink) return;
      clearTimeout(overdue);
      resolve({ address, consoleLink });
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the program ended with ${code}`)));
  });
}

/** Opens a page, that of the chat unless another is named. `problems` collects whatever went wrong in the browser. */
export async function openPage(demo, settings, start = demo.address) {
  const problems = [];
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const context = await browser.newContext({ ...settings, locale: 'zh-CN' });
  context.setDefaultTimeout(EXPECT_TIMEOUT_MS);
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`page: ${error.message}`));
  page.on('dialog', async (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(new URL(start).origin) && !url.startsWith('data:')) problems.push(`request to ${url}`);
  });
  await page.goto(start);
  return { browser, page, problems };
}

/** Has people act in the simulated WeCom. */
export async function control(demo, action, request) {
  const response = await fetch(`${demo.address}control/${action}?wait=true`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(request),
  });
  const answer = await response.text();
  assert.ok(response.ok, `${action}: ${response.status} ${answer}`);
}

/** Looks at pages, each opened by its function in `looks`, for what keeps people out, by day and by night. */
export async function assertAccessible(page, looks) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const look of looks) {
      await look();
      await assertAccessibleNow(page);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

export async function assertFits(page) {
  // A list that is still being found out is shown a moment later.
  await page.getByTestId('soon').waitFor({ state: 'detached' });
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} wide in a window of ${window}`);
}

/** What axe finds that keeps people out. Pages allow no script but their own; for this one the browser looks away. */
export async function assertAccessibleNow(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Page.enable');
  await session.send('Page.setBypassCSP', { enabled: true });
  // What is allowed is decided when a page is loaded, so the script is run in a world of its own.
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
  const expression = `${await readFile(AXE, 'utf8')};
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => ['serious', 'critical'].includes(impact))
      .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' | ')))`;
  const run = await session.send('Runtime.evaluate', { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
  await session.detach();
  assert.ok(run.result.value, JSON.stringify(run.exceptionDetails));
  assert.deepEqual(run.result.value, [], page.url());
}

/** Goes to an element as somebody without a mouse does, who has to see where they are all along. */
export async function tabTo(page, locator) {
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    await page.keyboard.press('Tab');
    const { html, isMarked, isThere } = await locator.evaluate((wanted) => {
      const focused = document.activeElement;
      const { outlineStyle, boxShadow } = getComputedStyle(focused);
      const isNowhere = focused === document.body;
      return {
        html: focused.cloneNode().outerHTML,
        isMarked: isNowhere || outlineStyle !== 'none' || boxShadow !== 'none',
        isThere: focused === wanted,
      };
    });
    assert.ok(isMarked, `nothing shows that the focus is on ${html}`);
    if (isThere) return;
  }
  assert.fail(`Tab does not lead to ${locator}`);
}

export async function screenshot(page, name) {
  if (!SCREENSHOT_DIR) return;
  await mkdir(SCREENSHOT_DIR, { recursive: true });
  // Scrolling is smooth; a picture taken at once would show it half done.
  await page.waitForTimeout(800);
  await page.screenshot({ path: join(SCREENSHOT_DIR, name) });
}
