import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { SIZES, assertFits, openPage, screenshot, startDemo } from './demo.mjs';

/** What a person does on the chat page, and what they see there. */
class Chat {
  constructor(page) {
    this.page = page;
    this.bubbles = page.getByTestId('message-bot');
    this.questions = page.getByTestId('message-user');
    this.options = page.getByTestId('option');
    this.panel = page.getByTestId('wire-panel');
  }

  async welcome() {
    await this.bubbles.first().waitFor();
    return this.bubbles.first().innerText();
  }

  /** Does something and waits for what the bot says to it. */
  async replyTo(action) {
    const before = await this.bubbles.count();
    await action();
    await this.bubbles.nth(before).waitFor();
    return this.bubbles.nth(before).innerText();
  }

  say(text) {
    return this.replyTo(async () => {
      await this.page.getByTestId('input').fill(text);
      await this.page.getByTestId('send').click();
    });
  }

  async startOver() {
    await this.page.getByTestId('user-menu').click();
    await this.page.getByTestId('new-user').click();
    await this.questions.first().waitFor({ state: 'detached' });
    return this.welcome();
  }

  async openWire() {
    if (!(await this.panel.isVisible())) await this.page.getByTestId('wire-toggle').click();
    await this.panel.waitFor();
  }

  async closeWire() {
    await this.page.getByTestId('wire-close').click();
    await this.panel.waitFor({ state: 'hidden' });
  }

  wire(part) {
    return this.page.getByTestId(`wire-${part}`).innerText();
  }

  assertFits() {
    return assertFits(this.page);
  }

  screenshot(name) {
    return screenshot(this.page, name);
  }
}

for (const { name, context: settings } of SIZES) {
  describe(`chat page, ${name}`, () => {
    let demo;
    let browser;
    let chat;
    let problems;

    before(async () => {
      demo = await startDemo();
      let page;
      ({ browser, page, problems } = await openPage(demo, settings));
      chat = new Chat(page);
    });

    after(async () => {
      await browser?.close();
      await demo?.stop();
    });

    it('welcomes with options', async () => {
      assert.match(await chat.welcome(), /解封/);
      assert.ok((await chat.options.count()) >= 2);
      await chat.assertFits();
    });

    it('answers a question', async () => {
      const answer = await chat.say('加好友太频繁，加不了人了');
      assert.match(answer, /24 小时/);
      assert.equal(await chat.bubbles.last().locator('.reply-title').count(), 1);
      await chat.assertFits();
      if (name === 'phone') await chat.screenshot('chat-phone.png');
    });

    it('sends with Enter, but not with Shift+Enter or while text is being composed', async () => {
      await chat.startOver();
      const input = chat.page.getByTestId('input');
      await input.fill('加好友');
      await input.press('Shift+Enter');
      assert.match(await input.inputValue(), /\n/);
      await input.fill('被限流了怎么办');
      await input.evaluate((field) => {
        field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }));
      });
      assert.equal(await chat.questions.count(), 0);
      await chat.replyTo(() => input.press('Enter'));
      assert.deepEqual(await chat.questions.allInnerTexts(), ['被限流了怎么办']);
      assert.equal(await input.inputValue(), '');
    });

    it('asks back with options, of which only the latest can be tapped', async () => {
      await chat.startOver();
      await chat.say('进不了群');
      const offered = chat.bubbles.last();
      const labels = await offered.getByTestId('option').locator('.option-label').allInnerTexts();
      assert.ok(labels.length >= 2, 'several options are offered');
      assert.equal(await chat.options.count(), labels.length, 'only the latest options are live');
      const asked = (await chat.bubbles.count()) - 1;
      await chat.replyTo(() => chat.options.nth(1).click());
      assert.deepEqual((await chat.questions.last().innerText()).split(/\s*\n\s*/), ['2', labels[1]]);
      assert.ok((await chat.bubbles.last().locator('.reply-title').innerText()).length > 0);
      assert.equal(await chat.bubbles.nth(asked).locator('button:enabled').count(), 0);
      assert.equal(await chat.bubbles.nth(asked).locator('button:disabled').count(), labels.length);
    });

    it('refuses what is not its subject', async () => {
      await chat.startOver();
      assert.match(await chat.say('今天天气怎么样'), /帮不上/);
      await chat.say('加好友太频繁，加不了人了');
      assert.match(await chat.say('今天天气怎么样'), /帮不上/);
    });

    it('sends a quick question with one tap', async () => {
      await chat.startOver();
      const chip = chat.page.getByTestId('quick').first();
      await chat.replyTo(() => chip.click());
      assert.equal(await chat.questions.last().innerText(), await chip.innerText());
    });

    it('says that it cannot see pictures, and shows every kind of attachment', async () => {
      await chat.startOver();
      const attach = (kind) =>
        chat.replyTo(async () => {
          await chat.page.getByTestId('attach').click();
          await chat.page.getByTestId(`attach-${kind}`).click();
        });
      assert.match(await attach('image'), /看不了图/);
      for (const kind of ['voice', 'video', 'location', 'link']) assert.ok(await attach(kind));
      assert.equal(await chat.questions.count(), 5);
      await chat.assertFits();
    });

    it('shows what went over the wire', async () => {
      await chat.startOver();
      await chat.say('加好友太频繁，加不了人了');
      await chat.openWire();
      const request = await chat.wire('request');
      assert.match(request, /\/callback\//);
      assert.match(request, /msg_signature=[0-9a-f]{40}/);
      assert.match(request, /<Encrypt>/);
      assert.match(await chat.wire('plaintext'), /<Content><!\[CDATA\[加好友太频繁，加不了人了\]\]><\/Content>/);
      const decision = await chat.wire('decision');
      assert.match(decision, /直接回答/);
      assert.match(decision, /friend-add-throttled/);
      assert.match(decision, /为什么是/);
      assert.ok((await chat.page.getByTestId('wire-decision').locator('.piece').count()) >= 1, 'evidence is shown');
      assert.match(await chat.wire('reply-plaintext'), /<Content>[^]*24 小时/);
      assert.match(await chat.wire('response'), /<Encrypt>/);
      assert.match(await chat.wire('attempts'), /第 1 次[^]*HTTP 200[^]*毫秒/);
      await chat.assertFits();
      if (name === 'desktop') await chat.screenshot('chat-wire.png');
      await chat.closeWire();
    });

    it('shows the wire of an earlier message when it is tapped', async () => {
      await chat.startOver();
      await chat.say('被限流了怎么办');
      await chat.say('谢谢');
      await chat.questions.first().click();
      await chat.panel.waitFor();
      assert.match(await chat.wire('plaintext'), /被限流了怎么办/);
      await chat.closeWire();
    });

    it('shows markup as it was typed', async () => {
      const typed = '<script>alert(1)</script>]]>';
      await chat.say(typed);
      assert.equal(await chat.questions.last().innerText(), typed);
      await chat.openWire();
      assert.ok((await chat.wire('plaintext')).includes('<script>alert(1)</script>'));
      await chat.assertFits();
      await chat.closeWire();
    });

    it('shows a message that was not delivered, and sends it again', async () => {
      await chat.startOver();
      const { page } = chat;
      let refuse;
      const refused = new Promise((resolve) => (refuse = resolve));
      await page.route('**/api/messages', async (route) => {
        await refused;
        await route.fulfill({ json: { message_id: '1', outcome: 'undelivered', reply: null, problem: '机器人没有回应', attempts: [] } });
      });
      await page.getByTestId('input').fill('被限流了怎么办');
      await page.getByTestId('send').click();
      await page.getByTestId('typing').waitFor();
      refuse();
      await page.getByTestId('undelivered').waitFor();
      assert.match(await page.getByTestId('undelivered').innerText(), /机器人没有回应/);
      assert.equal(await page.getByTestId('typing').count(), 0);
      await page.unroute('**/api/messages');
      await chat.replyTo(() => page.getByRole('button', { name: '重发' }).click());
      assert.equal(await page.getByTestId('undelivered').count(), 0);
      assert.deepEqual(await chat.questions.allInnerTexts(), ['被限流了怎么办']);
    });

    it('delivers messages one at a time, in the order they were sent', async () => {
      await chat.startOver();
      const { page } = chat;
      const sent = [];
      let underWay = 0;
      let mostAtOnce = 0;
      await page.route('**/api/messages', async (route) => {
        sent.push(route.request().postDataJSON().text);
        mostAtOnce = Math.max(mostAtOnce, (underWay += 1));
        await new Promise((resolve) => setTimeout(resolve, 100));
        underWay -= 1;
        await route.continue();
      });
      const texts = ['谢谢', '被限流了怎么办', '多久'];
      for (const text of texts) {
        await page.getByTestId('input').fill(text);
        await page.getByTestId('input').press('Enter');
      }
      await chat.bubbles.nth(texts.length).waitFor();
      assert.deepEqual(sent, texts);
      assert.equal(mostAtOnce, 1);
      await page.unroute('**/api/messages');
    });

    it('shows the conversation again when the page is loaded again, and goes on with it', async () => {
      await chat.startOver();
      await chat.say('进不了群');
      await chat.replyTo(() => chat.options.first().click());
      const user = await chat.page.locator('#user-name').textContent();
      const [questions, answers] = [await chat.questions.allInnerTexts(), await chat.bubbles.allInnerTexts()];
      await chat.page.reload();
      await chat.bubbles.nth(answers.length - 1).waitFor();
      assert.equal(await chat.page.locator('#user-name').textContent(), user);
      assert.deepEqual(await chat.questions.allInnerTexts(), questions);
      assert.deepEqual(await chat.bubbles.allInnerTexts(), answers);
      assert.match(await chat.say('多久'), /^多久/);
      await chat.questions.first().click();
      await chat.panel.waitFor();
      assert.match(await chat.wire('plaintext'), /进不了群/);
      await chat.closeWire();
    });

    it('had no errors, and asked no other host for anything', () => {
      assert.deepEqual(problems, []);
    });
  });
}
