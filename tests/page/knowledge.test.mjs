import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { SIZES, assertAccessible, assertFits, openPage, screenshot, startDemo, tabTo } from './demo.mjs';
import { picture } from './pictures.mjs';

const PASSWORD = 'correct horse battery staple';
const ID = 'pull-group-full';
const FILE = `scenarios/${ID}.toml`;
/** Its answers have to be scrolled. */
const LONG_FILE = 'scenarios/group-qr-limit.toml';
const SENTENCE = '客户群最多 500 人。满了以后，扫码、邀请都进不来。';
const NEW_SENTENCE = '一个客户群装五百人。';
const KNOWLEDGE = fileURLToPath(new URL('../../knowledge', import.meta.url));

for (const { name, context: settings } of SIZES) {
  describe(`knowledge in the console, ${name}`, () => {
    let folder;
    let demo;
    let browser;
    let page;
    let problems;
    let root;
    let original;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'jiefeng-knowledge-'));
      await cp(KNOWLEDGE, folder, { recursive: true });
      original = await readFile(join(folder, FILE), 'utf8');
      demo = await startDemo('--knowledge', folder);
      root = `${new URL(demo.consoleLink).origin}/console`;
      ({ browser, page, problems } = await openPage(demo, settings, demo.consoleLink));
      await page.fill('input[name=name]', 'root');
      await page.fill('input[name=password]', PASSWORD);
      await page.fill('input[name=again]', PASSWORD);
      await page.getByTestId('choose').click();
      await page.waitForURL(root);
    });

    after(async () => {
      await browser?.close();
      await demo?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    async function look(suffix) {
      await page.goto(`${root}/knowledge${suffix}`);
      await assertFits(page);
    }

    /** What is answered now. */
    async function answer() {
      await look(`/try?question=${encodeURIComponent('群满了拉不进人')}`);
      return page.getByTestId('tried-live').getByTestId('reply').innerText();
    }

    it('lists what the bot knows', async () => {
      await look('');
      assert.ok((await page.getByTestId('scenario').count()) >= 35);
      await screenshot(page, `knowledge-${name}.png`);
    });

    it('says while a file is written what is wrong with it and how it will look', async () => {
      await look(`/file?path=${FILE}`);
      assert.match(await page.getByTestId('forms-zh').innerText(), /\d+ \/ 2048/);
      await screenshot(page, `knowledge-file-${name}.png`);
      if (name === 'desktop') await picture(page, 'knowledge');
      await page.getByTestId('text').fill(original.replace('what = ', 'whatever = '));
      await page.getByText('zh.whatever').waitFor();
      await page.getByTestId('text').fill(original.replace(SENTENCE, NEW_SENTENCE));
      await page.getByTestId('no-problems').waitFor();
      await page.getByTestId('forms-zh').getByText(NEW_SENTENCE).first().waitFor();
      await page.getByTestId('save').click();
      await page.getByTestId('saved').waitFor();
      assert.equal(await readFile(join(folder, FILE), 'utf8'), original);
    });

    it('adds an example question with the keyboard alone, and says which are known', async () => {
      await look('');
      await tabTo(page, page.getByTestId('scenario').filter({ hasText: ID }).getByRole('link'));
      await screenshot(page, `knowledge-focus-${name}.png`);
      await page.keyboard.press('Enter');
      await tabTo(page, page.getByTestId('new-utterances'));
      await page.keyboard.type('咱群塞不下人啦\n群满了');
      await tabTo(page, page.getByTestId('add-utterances'));
      await page.keyboard.press('Enter');
      assert.match(await page.getByTestId('duplicates').innerText(), /群满了.*pull-group-full/);
      await assertFits(page);
    });

    it('shows which answers would change', async () => {
      await look('/draft');
      await page.getByTestId('start-trial').click();
      await page.getByTestId('report').waitFor({ timeout: 90_000 });
      await page.getByTestId('reworded').first().waitFor();
      await assertFits(page);
      await screenshot(page, `knowledge-draft-${name}.png`);
      assert.match(await answer(), new RegExp(SENTENCE.slice(0, 10)));
      assert.match(await page.getByTestId('tried-draft').getByTestId('reply').innerText(), new RegExp(NEW_SENTENCE));
      await screenshot(page, `knowledge-try-${name}.png`);
    });

    // At a desk the pages are made of the same. In English a line is more text than links, so that those have to differ.
    if (name === 'phone') {
      it('keeps nobody out, in English', async () => {
        await look('');
        await page.getByTestId('language').click();
        await page.getByRole('heading', { name: 'Knowledge', exact: true }).waitFor();
        const suffixes = ['', `/file?path=${LONG_FILE}`, `/try?question=${encodeURIComponent('群满了')}`, '/versions', '/import'];
        const looks = suffixes.map((suffix) => () => look(suffix));
        const openDraft = async () => {
          await look('/draft');
          await page.getByTestId('reworded').locator('summary').first().click();
          await assertFits(page);
        };
        await assertAccessible(page, [...looks, openDraft]);
        await screenshot(page, `knowledge-draft-open-${name}.png`);
        await page.getByTestId('language').click();
        await page.getByRole('heading', { name: '我的草稿', exact: true }).waitFor();
      });
    }

    it('publishes, and the answer is another one', async () => {
      await look('/draft');
      await page.getByTestId('comment').fill('说得更短');
      await page.getByTestId('publish').click();
      await page.getByTestId('version').first().waitFor({ timeout: 30_000 });
      await screenshot(page, `knowledge-versions-${name}.png`);
      for (let tries = 0; tries < 50 && !(await answer()).includes(NEW_SENTENCE); tries += 1) await page.waitForTimeout(200);
      assert.match(await answer(), new RegExp(NEW_SENTENCE));
    });

    it('rolls back to the byte', async () => {
      await look('/versions');
      await page.getByText('说得更短').click();
      await page.getByTestId('difference').waitFor();
      await assertFits(page);
      await screenshot(page, `knowledge-version-${name}.png`);
      await page.getByTestId('roll-back').click();
      await page.getByText(/退回版本/).waitFor({ timeout: 30_000 });
      assert.equal(await readFile(join(folder, FILE), 'utf8'), original);
      for (let tries = 0; tries < 50 && (await answer()).includes(NEW_SENTENCE); tries += 1) await page.waitForTimeout(200);
      assert.ok((await answer()).includes(SENTENCE));
    });

    it('imports a list after a dry run', async () => {
      await look('/import');
      await page.getByTestId('list').fill('entry_id\tphrasing\npull-group-full\t群里塞满人了呀\n');
      await page.getByTestId('dry-run').click();
      assert.match(await page.getByTestId('plan').innerText(), /pull-group-full/);
      await assertFits(page);
      await screenshot(page, `knowledge-import-${name}.png`);
      await look('/draft');
      await page.getByTestId('nothing').waitFor();
    });

    it('has had no trouble in the browser', () => assert.deepEqual(problems, []));
  });
}
