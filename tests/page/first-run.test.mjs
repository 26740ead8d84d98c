// From nothing to a verified callback address and an answered message, as somebody goes who follows nothing but the page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';

import { BINARY, KNOWLEDGE, SIZES, assertAccessibleNow, assertFits, openPage, screenshot, tabTo } from './demo.mjs';
import { picture, pictureEnvironment } from './pictures.mjs';

const CORP_ID = 'ww0123456789abcdef';
const AGENT_ID = '1000002';
const PASSWORD = 'correct horse battery staple';
const MOST_STEPS = 12;
const LEARNING_MS = 60_000;

/** An address for a server that starts later. Nothing else here has this host, so nobody takes its port meanwhile. */
function freeAddress() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.18.0.1', () => {
      const { address, port } = server.address();
      server.close(() => resolve(`${address}:${port}`));
    });
  });
}

/** A program in a terminal, and what it prints. */
class Terminal {
  constructor(folder, environment) {
    this.folder = folder;
    this.environment = environment;
    this.programs = [];
  }

  /** Types a command; what matches first in what it prints. */
  type(command, pattern) {
    const [, ...words] = command.split(' ');
    const child = spawn(BINARY, words, {
      cwd: this.folder,
      env: { ...process.env, ...this.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.programs.push(child);
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const found = pattern.exec(line);
        if (found) resolve(found[0]);
      });
      child.once('exit', (code) => reject(new Error(`${command} ended with ${code}`)));
    });
  }

  async close() {
    for (const child of this.programs) {
      if (child.exitCode !== null) continue;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
    }
  }
}

/** What 设置API接收 in WeCom's admin console does with three values: it keeps them, and asks the address. */
class AdminConsole {
  values = {};

  constructor(terminal) {
    this.terminal = terminal;
  }

  /** Saves, and gives the page on which a member writes to the app. */
  async save() {
    const { url, token, key } = this.values;
    const file = join(this.terminal.folder, 'wecom.toml');
    const app = { name: 'support', corp_id: CORP_ID, agent_id: Number(AGENT_ID), token, encoding_aes_key: key };
    const lines = Object.entries(app).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
    await writeFile(file, ['[[apps]]', ...lines, ''].join('\n'));
    return this.terminal.type(
      `jiefeng simulate --config wecom.toml --callback ${url} --listen 127.0.0.1:0`,
      /http:\/\/127\.0\.0\.1:\d+\/$/,
    );
  }
}

describe('first run in the browser', () => {
  const steps = [];
  /** A step of a person: a command typed, a link opened, a field filled, a button pressed. */
  const step = (what, act) => {
    steps.push(what);
    return act();
  };
  let folder;
  let terminal;
  let wecom;
  let browser;
  let page;
  let problems;
  let link;
  let publicUrl;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jiefeng-first-'));
    await symlink(KNOWLEDGE, join(folder, 'knowledge'));
    publicUrl = `http://${await freeAddress()}`;
    terminal = new Terminal(folder, { ...pictureEnvironment(), JIEFENG__SERVER__LISTEN: new URL(publicUrl).host });
    wecom = new AdminConsole(terminal);
  });

  after(async () => {
    await browser?.close();
    await terminal?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** What is shown fits a phone and a desk, keeps nobody out, and looks as it should. */
  async function look(name) {
    for (const size of SIZES) {
      await page.setViewportSize(size.context.viewport);
      await assertFits(page);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await assertAccessibleNow(page);
        await screenshot(page, `first-run-${name}-${size.name}-${colorScheme}.png`);
      }
    }
    await page.emulateMedia({ colorScheme: 'light' });
  }

  const showing = (number) => page.getByTestId(`step-${number}`).waitFor({ timeout: LEARNING_MS });

  async function copied(name) {
    await page.getByRole('button', { name: `复制 ${name}`, exact: true }).click();
    return page.evaluate(() => navigator.clipboard.readText());
  }

  it('begins with one command and one link', async () => {
    link = await step('type: jiefeng init --browser', () => terminal.type('jiefeng init --browser', /http:\S+\/console\/first\/link\/\S+/));
    ({ browser, page, problems } = await step('open the link', () => openPage(null, SIZES[1].context, link)));
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await showing(1);
    await look('questions');
    await picture(page, 'first-run');
  });

  it('shows nothing to a second browser', async () => {
    const other = await browser.newContext({ locale: 'zh-CN' });
    const stranger = await other.newPage();
    for (const address of [link, new URL('/console/first', link).href]) {
      assert.equal((await stranger.goto(address)).status(), 403);
      assert.equal(await stranger.locator('input').count(), 0);
    }
    await other.close();
  });

  it('says at once what is wrong with an answer, and keeps the others', async () => {
    await page.getByLabel('企业ID', { exact: true }).fill(AGENT_ID);
    await page.getByLabel('AgentId', { exact: true }).fill(AGENT_ID);
    await page.getByLabel('企业微信访问本机用的地址').fill(publicUrl);
    await page.getByTestId('go-on').click();
    assert.match(await page.getByTestId('wrong').innerText(), /以 ww 开头/);
    assert.equal(await page.getByLabel('AgentId', { exact: true }).inputValue(), AGENT_ID);
    await look('mistake');
    await assert.rejects(stat(join(folder, 'jiefeng.toml')));
    await page.goto(new URL('/console/first', link).href);
  });

  it('makes a configuration for its owner alone of three answers', async () => {
    // With the keyboard alone: the first field has the focus.
    await page.locator('#corp-id:focus').waitFor();
    await step('fill in 企业ID', () => page.keyboard.type(CORP_ID));
    await tabTo(page, page.getByLabel('AgentId', { exact: true }));
    await step('fill in AgentId', () => page.keyboard.type(AGENT_ID));
    await tabTo(page, page.getByLabel('企业微信访问本机用的地址'));
    await step('fill in the address', () => page.keyboard.type(publicUrl));
    await step('press: write and start', () => page.keyboard.press('Enter'));
    await showing(2);
    const file = join(folder, 'jiefeng.toml');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.match(await readFile(file, 'utf8'), new RegExp(`corp_id = "${CORP_ID}"`));
  });

  it('shows what to paste where, and says why a request was refused', async () => {
    // A loopback address is none that WeCom could reach, which keeps nobody from going on.
    await page.getByTestId('outside').getByText('从外面还到不了这里').waitFor();
    wecom.values = { url: await copied('URL'), token: 'AnotherToken', key: await copied('EncodingAESKey') };
    assert.equal(wecom.values.url, `${publicUrl}/callback/support`);
    await wecom.save();
    assert.match(await page.getByTestId('refused').innerText(), /Token/);
    await look('refused');
    await picture(page, 'first-run-refused');
  });

  it('works without a script', async () => {
    const storageState = await page.context().storageState();
    const plain = await browser.newContext({ ...SIZES[0].context, storageState, javaScriptEnabled: false });
    const quiet = await plain.newPage();
    await quiet.goto(new URL('/console/first', link).href);
    assert.match(await quiet.locator('#value-token').innerText(), /^[0-9A-Za-z]{32}$/);
    assert.equal(await quiet.locator('noscript meta[http-equiv=refresh], meta[http-equiv=refresh]').count(), 1);
    assert.equal(await quiet.locator('[data-copy]:visible').count(), 0);
    await plain.close();
  });

  it('speaks English as well', async () => {
    await page.getByTestId('language').click();
    await page.getByRole('heading', { name: 'Put these three into WeCom' }).waitFor();
    await look('paste-english');
    await page.getByTestId('language').click();
    await page.getByRole('heading', { name: '把这三项填进企业微信' }).waitFor();
  });

  it('turns green when the address is verified', async () => {
    wecom.values.url = await step('copy and paste URL', () => copied('URL'));
    wecom.values.token = await step('copy and paste Token', () => copied('Token'));
    wecom.values.key = await step('copy and paste EncodingAESKey', () => copied('EncodingAESKey'));
    wecom.phone = await step('press: 保存', () => wecom.save());
    await page.getByTestId('verified').waitFor();
    await look('verified');
    await picture(page, 'first-run-verified');
  });

  it('goes on when a message was answered', async () => {
    const phone = await browser.newPage();
    await step('open the app', () => phone.goto(wecom.phone));
    await phone.getByTestId('message-bot').first().waitFor();
    await step('write: 加不了好友', async () => {
      await phone.getByTestId('input').fill('加不了好友');
      await phone.getByTestId('input').press('Enter');
    });
    await page.getByTestId('answered').waitFor();
    await phone.close();
    await look('done');
  });

  it(`takes ${MOST_STEPS} steps at most`, (context) => {
    steps.forEach((what, index) => context.diagnostic(`${index + 1}. ${what}`));
    assert.ok(steps.length <= MOST_STEPS, `${steps.length} steps`);
  });

  it('leads into the console on the same address', async () => {
    await page.getByTestId('enter-console').click();
    await page.fill('input[name=name]', 'root');
    await page.fill('input[name=password]', PASSWORD);
    await page.fill('input[name=again]', PASSWORD);
    await page.getByTestId('choose').click();
    await page.waitForURL(new URL('/console', link).href);
    await page.getByTestId('tiles').waitFor();
  });

  it('had no problem in the browser', () => assert.deepEqual(problems, []));
});
