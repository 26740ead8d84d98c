import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { SIZES, assertAccessible, assertFits, control, openPage, screenshot, startDemo } from './demo.mjs';

const PASSWORD = 'correct horse battery staple';
const KNOWLEDGE = fileURLToPath(new URL('../../knowledge', import.meta.url));
const ASKED = [
  ['LiXiaoyu', '群里爆棚了咋整，我的手机 13800138000'],
  ['WangWei', '群爆棚了怎么办'],
  ['zhangsan', '群爆棚了'],
  ['zhangsan', '我们楼下的自动售货机坏了'],
  ['WangWei', '群满了拉不进人'],
  ['WangWei', '没用'],
];
const SCENARIO = 'pull-group-full';

for (const { name, context: settings } of SIZES) {
  describe(`what was not answered, ${name}`, () => {
    let folder;
    let demo;
    let browser;
    let page;
    let problems;
    let root;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'jiefeng-unanswered-'));
      await cp(KNOWLEDGE, folder, { recursive: true });
      demo = await startDemo('--knowledge', folder);
      for (const [member, text] of ASKED) await control(demo, 'member/write', { member, text });
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
      await page.goto(`${root}/${suffix}`);
      await assertFits(page);
    }

    const clusters = () => page.getByTestId('cluster');

    it('lists it, what means the same together and the biggest first', async () => {
      await look('unanswered');
      assert.equal(await clusters().count(), 3);
      assert.match(await clusters().first().innerText(), /^3\s+次/);
      assert.doesNotMatch(await clusters().first().innerText(), /13800138000/);
      assert.match(await page.locator('main').innerText(), /说没用 1/);
      await screenshot(page, `unanswered-${name}.png`);
    });

    it('keeps nobody out', () =>
      assertAccessible(page, [
        () => look('unanswered'),
        async () => {
          await look('unanswered');
          await page.getByTestId('open').first().click();
          await page.getByTestId('add').waitFor();
          await assertFits(page);
        },
      ]));

    it('is added to a scenario as example questions, and shows at once which answers would change', async () => {
      await look('unanswered');
      await page.getByTestId('open').first().click();
      assert.equal(await page.getByTestId('text').count(), 3);
      await page.getByTestId('scenario').selectOption(SCENARIO);
      await screenshot(page, `unanswered-cluster-${name}.png`);
      await page.getByTestId('add').click();
      await page.getByTestId('report').waitFor({ timeout: 90_000 });
      const changed = await page.getByTestId('changed').allInnerTexts();
      for (const [, text] of ASKED.slice(1, 3)) assert.ok(changed.some((one) => one.includes(text)), text);
      await assertFits(page);
    });

    it('is published, answered when it is asked again, and not listed any more', async () => {
      await page.getByTestId('comment').fill('待解答里问得最多的');
      await page.getByTestId('publish').click();
      await page.getByTestId('version').first().waitFor({ timeout: 30_000 });
      for (let tries = 0; tries < 50; tries += 1) {
        await look('unanswered');
        if ((await clusters().count()) === 2) break;
        await page.waitForTimeout(200);
      }
      assert.equal(await clusters().count(), 2);
      await control(demo, 'member/write', { member: 'zhaoliu', text: ASKED[1][1] });
      await look('messages');
      const answered = page.getByTestId('message').first();
      assert.match(await answered.innerText(), /直接回答/);
      assert.ok((await answered.innerText()).includes(ASKED[1][1]));
    });

    it('has had no trouble in the browser', () => assert.deepEqual(problems, []));
  });
}
