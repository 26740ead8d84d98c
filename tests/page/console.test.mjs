import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { SIZES, assertAccessible, assertFits, control, openPage, screenshot, startDemo, tabTo } from './demo.mjs';
import { IS_RENEWING, picture } from './pictures.mjs';

const PASSWORD = 'correct horse battery staple';
const FILE = 'scenarios/pull-group-full.toml';
/** The navigation, in its order. */
const VIEWERS_PAGES = ['', '/messages', '/unanswered', '/knowledge', '/appeals'];
const EDITORS_PAGES = ['/dead-letters', '/doctor', '/settings'];
const ADMINS_PAGES = ['/person', '/users', '/audit'];
const PAGES = [...VIEWERS_PAGES, ...EDITORS_PAGES, ...ADMINS_PAGES, '/account'];

/** Questions, a followed appeal, and a message of 微信客服 that cannot be sent. */
async function fill(demo) {
  const said = [
    ['LiXiaoyu', '加好友太频繁，加不了人了，我的手机 13800138000'],
    ['LiXiaoyu', '有用'],
    ['WangWei', '进不了群'],
    ['WangWei', '今天天气怎么样'],
    ['zhangsan', '11月18号提交了申诉'],
    ['zhangsan', '好'],
  ];
  // In a picture more has been asked: a server that has just started is slower than it is afterwards.
  const asked = ['加好友提示操作频繁', '群满了拉不进人', '账号被封了怎么办', '进不了群', '有用', '你好', '手速太快被限制了'];
  const times = IS_RENEWING ? 15 : 0;
  for (let time = 0; time < times; time += 1) {
    for (const text of asked) await control(demo, 'member/write', { member: `member${time}`, text });
  }
  for (const [member, text] of said) await control(demo, 'member/write', { member, text });
  const accounts = await (await fetch(`${demo.address}control/accounts`)).json();
  const openKfId = JSON.stringify(accounts).match(/"open_kfid":"([^"]+)"/)[1];
  await control(demo, 'faults', { api: 'kf/send_msg', kind: 'errcode', value: 40058, count: 2 });
  await control(demo, 'customer/write', { open_kfid: openKfId, customer: 'wm1', text: '扫码进群失败' });
}

/** Waits until a condition on a page that is loaded again and again holds. */
async function reloadUntil(page, locator) {
  for (let tries = 0; tries < 50 && (await locator.count()) === 0; tries += 1) {
    await page.waitForTimeout(200);
    await page.reload();
  }
  await locator.first().waitFor();
}

for (const { name, context: settings } of SIZES) {
  describe(`admin console, ${name}`, () => {
    let demo;
    let browser;
    let page;
    let problems;
    let root;

    before(async () => {
      demo = await startDemo();
      await fill(demo);
      root = `${new URL(demo.consoleLink).origin}/console`;
      ({ browser, page, problems } = await openPage(demo, settings, demo.consoleLink));
    });

    after(async () => {
      await browser?.close();
      await demo?.stop();
    });

    async function look(suffix) {
      await page.goto(`${root}${suffix}`);
      await assertFits(page);
    }

    /** Invites somebody; the link for them. */
    async function invite(who, role) {
      await look('/users');
      const form = page.locator('form[action="/console/users"]');
      await form.locator('input[name=name]').fill(who);
      await form.locator('select[name=role]').selectOption(role);
      await form.getByTestId('invite').click();
      return page.getByTestId('link').innerText();
    }

    /** Follows a link in a browser of somebody's own, and chooses a password there. */
    async function join(link) {
      const context = await browser.newContext({ ...settings, locale: 'zh-CN' });
      const theirs = await context.newPage();
      await theirs.goto(link);
      await theirs.fill('input[name=password]', PASSWORD);
      await theirs.fill('input[name=again]', PASSWORD);
      await theirs.getByTestId('choose').click();
      await theirs.waitForURL(root);
      return theirs;
    }

    async function assertOffered(theirs, paths) {
      const offered = await theirs.locator('.side a').evaluateAll((links) => links.map((link) => link.pathname));
      assert.deepEqual(offered, paths.map((path) => `/console${path}`));
    }

    async function assertRefused(theirs, paths) {
      for (const path of paths) {
        assert.equal((await theirs.goto(`${root}${path}`)).status(), 403, path);
        assert.match(await theirs.getByTestId('problem').innerText(), /你的角色不能做这件事/);
      }
    }

    it('makes the first admin with the one-time link', async () => {
      await assertFits(page);
      await page.fill('input[name=name]', 'root');
      await page.fill('input[name=password]', 'password1234');
      await page.fill('input[name=again]', 'password1234');
      await page.getByTestId('choose').click();
      assert.match(await page.getByTestId('problem').innerText(), /太常见/);
      await screenshot(page, `console-link-${name}.png`);
      await page.fill('input[name=password]', PASSWORD);
      await page.fill('input[name=again]', PASSWORD);
      await page.getByTestId('choose').click();
      await page.waitForURL(root);
    });

    it('shows how things are', async () => {
      await look('');
      await reloadUntil(page, page.getByText('没能答复或发出'));
      // What was asked today is counted anew every few seconds.
      await reloadUntil(page, page.getByTestId('tiles').locator('.tile:first-child', { hasText: /今天 ([4-9]|\d{2,})$/ }));
      assert.equal(await page.getByTestId('days').locator('tbody tr').count(), 30);
      await screenshot(page, `console-overview-${name}.png`);
    });

    it('finds messages by text and by what became of them', async () => {
      await look('/messages');
      const all = await page.getByTestId('message').count();
      assert.ok(all >= 5, `${all} messages`);
      await screenshot(page, `console-messages-${name}.png`);
      await page.fill('input[name=text]', '天气');
      await page.getByTestId('search').click();
      assert.deepEqual(await page.getByTestId('question').allInnerTexts(), ['今天天气怎么样']);
      await page.fill('input[name=text]', '');
      await page.selectOption('select[name=decision]', 'ask_back');
      await page.getByTestId('search').click();
      assert.ok((await page.getByTestId('question').allInnerTexts()).includes('进不了群'));
    });

    it('shows one message with its reasons, masked until an admin looks', async () => {
      await look('/messages?text=%E6%89%8B%E6%9C%BA');
      await page.getByTestId('question').click();
      assert.match(await page.getByTestId('text').innerText(), /手机 1•••$/);
      assert.match(await page.getByTestId('course').innerText(), /答复随回调返回/);
      assert.match(await page.getByTestId('evidence').innerText(), /加好友/);
      await assertFits(page);
      await screenshot(page, `console-message-${name}.png`);
      if (name === 'desktop') await picture(page, 'message');
      await page.getByTestId('unmask').click();
      assert.match(await page.getByTestId('text').innerText(), /13800138000/);
    });

    it('exports what was found', async () => {
      await look('/messages?decision=answer');
      const download = page.waitForEvent('download');
      await page.getByTestId('export').click();
      assert.equal((await download).suggestedFilename(), 'jiefeng-messages.csv');
    });

    it('shows followed appeals without whose they are', async () => {
      await look('/appeals');
      assert.match(await page.getByTestId('person').innerText(), /^zh•••$/);
      await screenshot(page, `console-appeals-${name}.png`);
      await page.getByTestId('unmask-person').click();
      assert.equal(await page.getByTestId('person').innerText(), 'zhangsan');
    });

    it('has a dead letter sent after all', async () => {
      await look('/dead-letters');
      await reloadUntil(page, page.getByTestId('dead-letter'));
      await page.getByTestId('show-content').first().click();
      assert.match(await page.getByTestId('content').innerText(), /touser/);
      await screenshot(page, `console-dead-letters-${name}.png`);
      await page.getByTestId('requeue').first().click();
      await page.getByTestId('no-dead-letters').waitFor();
    });

    it('has settings, and takes next year from the notice as it is published', async () => {
      await look('/settings');
      await page.selectOption('select[name="notices.app"]', { index: 1 });
      await page.fill('input[name="notices.users"]', 'zhangsan');
      await page.getByTestId('save-notices').click();
      assert.match(await page.getByTestId('saved').innerText(), /集中出现时提醒/);
      assert.ok(await page.locator('input[name="hand_over.hours"]').isDisabled());
      await page.fill('textarea[name=notice]', '现将2027年放假安排通知如下。一、元旦：1月1日（周四）至3日（周日）放假，共3天。');
      await page.getByTestId('take-notice').click();
      assert.match(await page.getByTestId('notice-problems').innerText(), /2027-01-01 不是“周四”/);
      await assertFits(page);
      await screenshot(page, `console-settings-${name}.png`);
    });

    it('erases what is kept of somebody', async () => {
      await look('/person');
      await page.fill('input[name=user_id]', 'WangWei');
      await page.getByTestId('find').click();
      assert.match(await page.getByTestId('found').innerText(), /问题\s+2/);
      await assertFits(page);
      await screenshot(page, `console-person-${name}.png`);
      await page.locator('input[name=sure]').check();
      await page.getByTestId('erase-person').click();
      await page.getByTestId('erased').waitFor();
    });

    it('shows what employees write as text, whatever it is', async () => {
      const said = '<img src=x onerror="globalThis.hit = 1"><script>globalThis.hit = 1</script>好友加不上';
      await control(demo, 'member/write', { member: 'zhaoliu', text: said });
      await look('/messages');
      assert.ok((await page.getByTestId('question').allInnerTexts()).includes(said));
      for (const path of ['/unanswered', '']) {
        await look(path);
        assert.equal(await page.evaluate(() => globalThis.hit), undefined);
      }
    });

    it('does nothing that a page of another origin asks for', async () => {
      // Another port of the same machine is the same site, so the browser sends the cookies of the session along.
      const other = `${demo.address}other`;
      const page = await browser.contexts()[0].newPage();
      const form = `<form method="post" action="${root}/users"><input name="name" value="mallory"><input name="role" value="admin"></form>`;
      await page.route(other, (route) => route.fulfill({ contentType: 'text/html', body: form }));
      await page.goto(other);
      await page.evaluate(() => document.forms[0].submit());
      await page.getByText('什么都没有改').waitFor();
      await page.goto(`${root}/users`);
      assert.deepEqual(await page.getByText('mallory').allInnerTexts(), []);
      assert.equal(await page.getByTestId('user').count(), 1, 'the session is the admin\'s');
      await page.close();
    });

    it('invites somebody and tells what was done', async () => {
      assert.match(await invite('li', 'viewer'), /^http:\/\/127\.0\.0\.1:\d+\/console\/link\/.{43}$/);
      await assertFits(page);
      await screenshot(page, `console-users-${name}.png`);
      await look('/audit');
      const noted = await page.getByTestId('audit-entry').allInnerTexts();
      for (const action of ['邀请用户', '重新处理死信', '看死信内容', '看申诉人的账号', '导出', '看消息原文']) {
        assert.ok(noted.some((entry) => entry.includes(action)), action);
      }
      await screenshot(page, `console-audit-${name}.png`);
    });

    if (name === 'phone') {
      it('shows a viewer what is masked, and nothing to change it with', async () => {
        const link = await invite('wang', 'viewer');
        const viewer = await join(link);
        await assertOffered(viewer, VIEWERS_PAGES);
        const forms = [];
        for (const path of [...VIEWERS_PAGES, `/knowledge/file?path=${FILE}`, '/knowledge/try?question=1', '/knowledge/versions']) {
          await viewer.goto(`${root}${path}`);
          await assertFits(viewer);
          assert.doesNotMatch(await viewer.locator('main').innerText(), /LiXiaoyu|zhangsan|13800138000/, path);
          const actions = viewer.locator('main form[method=post]:has(button)');
          forms.push(...(await actions.evaluateAll((all) => all.map((form) => form.getAttribute('action')))));
        }
        assert.deepEqual(forms, ['/console/messages/export']);
        await viewer.goto(`${root}/knowledge/file?path=${FILE}`);
        assert.ok(!(await viewer.getByTestId('text').isEditable()));
        await viewer.goto(`${root}/messages?text=%E6%89%8B%E6%9C%BA`);
        await viewer.getByTestId('question').click();
        assert.match(await viewer.getByTestId('text').innerText(), /手机 1•••$/);
        assert.equal(await viewer.getByTestId('unmask').count(), 0);
        await screenshot(viewer, `console-viewer-${name}.png`);
        await assertRefused(viewer, ['/knowledge/draft', '/knowledge/import', ...EDITORS_PAGES, ...ADMINS_PAGES]);
        await viewer.goto(link);
        await viewer.getByText('这个链接不能用了').waitFor();
        await viewer.context().close();
      });
    } else {
      it('lets an editor write, and keeps the users from them', async () => {
        const editor = await join(await invite('zhao', 'editor'));
        await assertOffered(editor, [...VIEWERS_PAGES, ...EDITORS_PAGES]);
        await editor.goto(`${root}/knowledge/file?path=${FILE}`);
        await editor.getByTestId('new-utterances').fill('咱群塞不下人啦');
        await editor.getByTestId('add-utterances').click();
        await editor.getByTestId('saved').waitFor();
        await screenshot(editor, `console-editor-${name}.png`);
        await assertRefused(editor, ADMINS_PAGES);
        await screenshot(editor, `console-refused-${name}.png`);
        await editor.context().close();
      });
    }

    it('keeps nobody out', async () => {
      await assertAccessible(page, PAGES.map((path) => () => look(path)));
      for (const scheme of ['dark', 'light']) {
        await page.emulateMedia({ colorScheme: scheme });
        await look('');
        await screenshot(page, `console-overview-${scheme}-${name}.png`);
      }
      await page.emulateMedia({ colorScheme: 'light' });
    });

    it('speaks English as well', async () => {
      await look('/appeals');
      await page.getByTestId('language').click();
      await page.getByRole('heading', { name: 'Appeals', exact: true }).waitFor();
      assert.equal(page.url(), `${root}/appeals`);
      for (const path of PAGES) await look(path);
      await page.getByTestId('language').click();
      await look('');
      if (name === 'desktop') await picture(page, 'overview');
    });

    it('signs out, and in again with the keyboard alone', async () => {
      await look('/messages?text=%E5%A4%A9%E6%B0%94');
      await page.getByTestId('sign-out').click();
      await page.waitForURL(`${root}/login`);
      await page.goto(`${root}/messages?decision=answer`);
      await page.locator('input[name=name]:focus').waitFor();
      await page.keyboard.type('root');
      await page.keyboard.press('Tab');
      await page.keyboard.type(PASSWORD);
      await screenshot(page, `console-login-${name}.png`);
      await page.keyboard.press('Enter');
      await page.waitForURL(`${root}/messages?decision=answer`);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      await tabTo(page, page.getByTestId('question').first());
      await page.keyboard.press('Enter');
      await page.getByTestId('evidence').waitFor();
    });

    it('works without a script', async () => {
      const storageState = await page.context().storageState();
      const plain = await browser.newContext({ ...settings, storageState, javaScriptEnabled: false });
      const quiet = await plain.newPage();
      await quiet.goto(root);
      if (name === 'phone') {
        await quiet.locator('.menu summary').click();
        await quiet.locator('.menu-list a[href="/console/messages"]').click();
      } else {
        await quiet.locator('.side a[href="/console/messages"]').click();
      }
      assert.ok((await quiet.getByTestId('message').count()) >= 5);
      await plain.close();
    });

    it('had no problem in the browser', () => {
      assert.deepEqual(problems, []);
    });
  });
}
