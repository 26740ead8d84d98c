// The second phone, the servicer's desk and the clock, in a real browser against the real demo.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { SIZES, assertFits, openPage, screenshot, startDemo } from './demo.mjs';

/** What the people in front of the three panes do and see. */
class Stage {
  constructor(page, isPhone) {
    this.page = page;
    this.isPhone = isPhone;
    this.get = (id) => page.getByTestId(id);
  }

  /** On a phone one pane is in view at a time. */
  async show(pane) {
    if (this.isPhone) await this.get(`tab-${pane}`).click();
  }

  async write(where, text) {
    await this.get(`${where}input`).fill(text);
    await this.get(`${where}send`).click();
  }

  /** Does something and waits for a further message of that kind. */
  async next(id, action) {
    const messages = this.get(id);
    const before = await messages.count();
    await action();
    await messages.nth(before).waitFor({ state: 'attached' });
    return messages.nth(before).innerText();
  }

  async asCustomer(text) {
    await this.show('wechat');
    return this.next('wechat-mine', () => this.write('wechat-', text));
  }

  async becomeAnotherCustomer() {
    await this.show('wechat');
    await this.get('customer-menu').click();
    await this.get('new-customer').click();
    await this.get('wechat-bot').first().waitFor();
  }

  async hasState(pattern) {
    await this.page.waitForFunction(
      ([source]) => new RegExp(source).test(document.getElementById('wechat-state').textContent),
      [pattern.source],
    );
  }

  async askForPerson() {
    await this.asCustomer('转人工');
    await this.hasState(/等同事接入/);
    await this.show('desk');
    await this.get('desk-take').waitFor();
  }

  async asMember(text) {
    await this.show('member');
    return this.next('message-bot', () => this.write('', text));
  }

  /** Presses one of the buttons that put the clock forward. */
  async moveClock(move) {
    if (this.isPhone) await this.get('clock-toggle').click();
    await this.get(`clock-${move}`).click();
  }

  time() {
    return this.page.locator('#clock-time').textContent();
  }
}

for (const { name, context: settings } of SIZES) {
  describe(`second phone, desk and clock, ${name}`, () => {
    let demo;
    let browser;
    let page;
    let problems;
    let stage;

    before(async () => {
      demo = await startDemo();
      ({ browser, page, problems } = await openPage(demo, settings));
      stage = new Stage(page, name === 'phone');
    });

    after(async () => {
      await browser?.close();
      await demo?.stop();
    });

    it('welcomes the customer with a menu, of which an entry is tapped', async () => {
      await stage.show('wechat');
      await stage.get('wechat-bot').first().waitFor();
      assert.match(await stage.get('wechat-bot').first().innerText(), /解封助手/);
      assert.equal(await stage.get('menu-item').count(), 6);
      const entry = stage.get('menu-item').nth(1);
      const answer = await stage.next('wechat-bot', () => entry.click());
      assert.equal(await stage.get('wechat-mine').last().innerText(), await entry.innerText());
      assert.match(answer, /24 小时/);
      await assertFits(page);
    });

    it('tells in which panes out of view something happened', async () => {
      if (!stage.isPhone) return assert.equal(await page.locator('.tabs').isVisible(), false);
      await stage.show('member');
      await stage.page.request.post(`${demo.address}control/customer/write`, {
        data: { ...(await aim(page)), text: '加不了好友' },
      });
      await page.locator('#badge-wechat').waitFor();
      await stage.show('wechat');
      await page.locator('#badge-wechat').waitFor({ state: 'hidden' });
    });

    it('hands over to a person and is silent until they have ended', async () => {
      await stage.askForPerson();
      assert.match(await stage.get('desk-session').first().innerText(), /等待接入/);
      assert.match(await stage.get('desk-customer').last().innerText(), /转人工/);
      assert.match(await stage.get('desk-bot').last().innerText(), /转给同事/);
      await assertFits(page);
      await stage.get('desk-take').click();
      await stage.next('desk-servicer-message', () => stage.write('desk-', '我来看看，提示是怎么写的？'));
      await stage.show('wechat');
      await stage.hasState(/张三 正在接待/);
      assert.equal(await stage.get('wechat-servicer').last().innerText(), '我来看看，提示是怎么写的？');
      const said = await stage.get('wechat-bot').count();
      await stage.asCustomer('群里发不了消息');
      await page.waitForTimeout(1500);
      assert.equal(await stage.get('wechat-bot').count(), said, 'the bot is silent');
      await stage.show('desk');
      assert.equal(await stage.get('desk-customer').last().innerText(), '群里发不了消息');
      await stage.get('desk-end').click();
      await stage.get('desk-end').waitFor({ state: 'hidden' });
      const answer = await stage.next('wechat-bot', () => stage.asCustomer('加不了好友了，提示操作频繁'));
      assert.match(answer, /频繁/);
    });

    it('says that nobody receives when the servicer pauses', async () => {
      await stage.show('desk');
      await stage.get('desk-duty').click();
      await page.locator('#desk-duty[aria-checked="false"]').waitFor();
      await stage.becomeAnotherCustomer();
      const told = await stage.next('wechat-bot', () => stage.asCustomer('转人工'));
      assert.match(told, /没有同事在接待/);
      await stage.show('desk');
      assert.equal(await stage.get('desk-session').count(), 2);
      await stage.get('desk-duty').click();
      await page.locator('#desk-duty[aria-checked="true"]').waitFor();
    });

    it('sends attachments and shows markup as it was typed', async () => {
      await stage.show('wechat');
      const told = await stage.next('wechat-bot', async () => {
        await stage.get('wechat-attach').click();
        await stage.get('wechat-attach-image').click();
      });
      assert.match(told, /看不了图/);
      const typed = '<img src=x onerror=alert(1)>';
      await stage.asCustomer(typed);
      assert.equal(await stage.get('wechat-mine').last().innerText(), typed);
      await stage.show('desk');
      await stage.get('desk-session').filter({ hasText: await page.locator('#customer-name').textContent() }).click();
      await stage.get('desk-customer').getByText(typed, { exact: true }).waitFor();
      await assertFits(page);
    });

    it('reminds when the clock is put to the third business day', async () => {
      assert.match(await stage.time(), /^11月22日 周日 10:0\d$/);
      assert.equal(await stage.get('clock-reminder').isDisabled(), true);
      assert.match(await stage.asMember('我今天提交了申诉'), /11月25日/);
      assert.match(await stage.asMember('好，记下'), /记下了/);
      await page.locator('#clock-reminder:enabled').waitFor({ state: 'attached' });
      const reminder = await stage.next('message-bot', () => stage.moveClock('business-days'));
      assert.match(reminder, /^申诉提醒[^]*第 3 个工作日/);
      assert.match(await stage.time(), /^11月25日 周三 10:0\d$/);
      assert.match(await stage.asMember('申诉进度'), /第 3 个工作日/);
      await assertFits(page);
    });

    it('shows all three panes side by side where there is room', async () => {
      if (stage.isPhone) return assert.equal(await page.locator('#desk').isVisible(), false);
      await stage.becomeAnotherCustomer();
      await stage.next('wechat-bot', () => stage.asCustomer('封号了'));
      await stage.askForPerson();
      await stage.get('desk-take').click();
      await stage.next('desk-servicer-message', () => stage.write('desk-', '你好，我是张三，我来跟进。提示上写的是哪天解封？'));
      for (const pane of ['#chat', '#wechat', '#desk']) assert.ok(await page.locator(pane).isVisible());
      await assertFits(page);
      await screenshot(page, 'chat-desktop.png');
      await stage.get('desk-end').click();
    });

    it('goes to the next reminder, and a day further', async () => {
      const reminder = await stage.next('message-bot', () => stage.moveClock('reminder'));
      assert.match(reminder, /第 7 个工作日/);
      assert.match(await stage.time(), /^12月1日 周二 10:0\d$/);
      await page.locator('#clock-reminder:disabled').waitFor({ state: 'attached' });
      await stage.moveClock('day');
      await page.waitForFunction(() => document.getElementById('clock-time').textContent.startsWith('12月2日 周三'));
      // The answer, and the entries that lead on from it.
      const answers = stage.get('wechat-bot');
      const count = await answers.count();
      await stage.asCustomer('加不了好友了，提示操作频繁');
      await answers.nth(count + 1).waitFor({ state: 'attached' });
    });

    it('shows all conversations again when the page is loaded again, and goes on with them', async () => {
      const parts = ['message-bot', 'message-user', 'wechat-bot', 'wechat-mine'];
      const texts = () => Promise.all(parts.map((part) => stage.get(part).allTextContents()));
      const before = await texts();
      const customer = await page.locator('#customer-name').textContent();
      await page.reload();
      for (const [index, part] of parts.entries()) {
        await stage.get(part).nth(before[index].length - 1).waitFor({ state: 'attached' });
      }
      assert.deepEqual(await texts(), before);
      assert.equal(await page.locator('#customer-name').textContent(), customer);
      await stage.show('wechat');
      await stage.next('wechat-bot', () => stage.asCustomer('多久'));
    });

    it('had no errors, and asked no other host for anything', () => {
      assert.deepEqual(problems, []);
    });
  });
}

describe('cards', () => {
  let demo;
  let browser;
  let page;
  let problems;
  let stage;

  before(async () => {
    demo = await startDemo('--cards');
    ({ browser, page, problems } = await openPage(demo, SIZES[1].context));
    stage = new Stage(page, false);
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  it('shows what was chosen on a card, and the answer after it', async () => {
    // The welcome has a card as well.
    await stage.get('card').first().waitFor();
    await stage.next('card', () => stage.write('', '被封了'));
    const card = stage.get('card').nth(1);
    const chosen = card.getByTestId('card-button').first();
    const label = await chosen.innerText();
    await stage.next('message-bot', () => chosen.click());
    await card.getByTestId('card-chosen').waitFor();
    // The answer asks something in its turn.
    await stage.get('card').nth(2).waitFor();
    assert.ok((await card.getByTestId('card-chosen').innerText()).includes(label.slice(0, 6)));
    assert.equal(await card.getByTestId('card-button').count(), 0);
  });

  it('shows cards in their order when the page is loaded again', async () => {
    const order = () => page.locator('#messages .bubble').evaluateAll((bubbles) => bubbles.map((bubble) => bubble.dataset.testid));
    const before = await order();
    await page.reload();
    await stage.get('card').first().waitFor();
    await page.waitForFunction((count) => document.querySelectorAll('#messages .bubble').length === count, before.length);
    assert.deepEqual(await order(), before);
    await stage.get('card-chosen').first().waitFor();
    assert.deepEqual(problems, []);
  });
});

/** Account and customer that the page shows. */
async function aim(page) {
  return page.evaluate(async () => {
    const { sessions } = await (await fetch('/control/sessions')).json();
    const [{ open_kfid, customer }] = sessions;
    return { open_kfid, customer };
  });
}
