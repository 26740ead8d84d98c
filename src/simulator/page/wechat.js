import { button, byId, call, element, focusGently } from './dom.js';
import { Composer } from './composer.js';
import { Log } from './log.js';
import { shown } from './time.js';
import { messageRow, servicerName } from './transcript.js';

const FIRST_CUSTOMER = { id: 'wmLiXiaoyu', nickname: '李小雨' };
const OTHER_NICKNAMES = ['王芳', '陈伟', '刘洋', '赵敏', '周杰', '吴桐', '孙悦', '林晨'];

// The states of a session (doc/94669).
export const STATE = { new: 0, assistant: 1, pool: 2, human: 3, ended: 4 };

/** The WeChat of somebody who asks through 微信客服. */
export class WeChat {
  #messages = byId('wechat-messages');
  #log = new Log({ messages: this.#messages, jump: byId('wechat-jump'), pane: byId('wechat') });
  #input = byId('wechat-input');
  #account = null;
  #customer = null;
  #after = 0;
  #entered = null;
  #sending = Promise.resolve();

  constructor({ live, panes }) {
    Object.assign(this, { live, panes });
    const composer = new Composer({
      box: byId('wechat-composer'),
      input: this.#input,
      send: byId('wechat-send'),
      more: byId('wechat-attach'),
      attachments: byId('wechat-attachments'),
      onText: (text) => this.#act('customer/write', { text }),
      onAttachment: (kind) => this.#act('customer/write', { msgtype: kind }),
      onOpen: () => this.#log.isAtEnd && requestAnimationFrame(() => this.#log.scrollToEnd()),
    });
    byId('wechat-chips').addEventListener('click', (event) => {
      const chip = event.target.closest('.chip');
      if (!chip) return;
      composer.showAttachments(false);
      this.#act('customer/write', { text: chip.textContent });
    });
    byId('wechat-voice').addEventListener('click', () => this.#act('customer/write', { msgtype: 'voice' }));
    byId('new-customer').addEventListener('click', () => this.#becomeAnother());
    byId('enter-again').addEventListener('click', () => {
      byId('customer-popover').hidePopover();
      this.#act('customer/enter', {});
    });
    live.watch((news, phones) => this.#take(news, phones));
  }

  /** What is looked at in the next request. */
  get phone() {
    return this.#customer ? { customer: this.#customer.id, customer_after: this.#after } : {};
  }

  get customer() {
    return this.#customer;
  }

  scrollToEnd() {
    this.#log.scrollToEnd();
  }

  #take({ accounts, sessions, customer: phone }, asked) {
    const [account] = accounts;
    if (!account) return;
    this.#account = account;
    byId('wechat-account').textContent = account.name;
    if (!this.#customer) {
      const latest = sessions
        .filter(({ open_kfid: id }) => id === account.open_kfid)
        .sort((one, other) => lastSign(other) - lastSign(one))[0];
      this.#become(latest ? { id: latest.customer, nickname: latest.nickname } : FIRST_CUSTOMER);
      this.live.poke();
      return;
    }
    if (asked.customer !== this.#customer.id || asked.customer_after !== this.#after) return;
    const session = sessions.find(({ customer, open_kfid: id }) => customer === this.#customer.id && id === account.open_kfid);
    this.#showState(session);
    const messages = phone.messages.filter(({ open_kfid: id }) => id === account.open_kfid);
    this.#after = phone.newest;
    this.#show(messages, asked.customer_after === 0);
    if (!session) this.#enterFirst();
  }

  #show(messages, isFirst) {
    for (const message of messages) {
      const at = shown(message.at);
      this.#log.separateByTime(at);
      const row = messageRow(message, {
        mine: ['myself'],
        customerName: this.#customer.nickname,
        onTap: (item) => this.#act('customer/tap', { item }),
        testIds: { myself: 'wechat-mine', bot: 'wechat-bot', servicer: 'wechat-servicer' },
      });
      this.#log.append(row);
      if (!isFirst) this.#log.reveal(row);
      if (!isFirst && message.sender !== 'myself') this.panes.tell('wechat');
    }
    if (isFirst) this.#log.scrollToEnd();
  }

  #showState(session) {
    const [text, kind] = stateOf(session);
    const line = byId('wechat-state');
    if (line.textContent !== text) line.textContent = text;
    line.dataset.kind = kind;
  }

  async #enterFirst() {
    const { id: customer, nickname } = this.#customer;
    if (this.#entered === customer) return;
    this.#entered = customer;
    await this.#do('kf/customers', { customer, nickname });
    this.#act('customer/enter', {});
  }

  #become(customer) {
    this.#customer = customer;
    this.#after = 0;
    byId('customer-name').textContent = customer.nickname;
    byId('customer-popover-name').textContent = customer.nickname;
    byId('wechat-state').textContent = '';
    this.#log.clear(element('div', { className: 'system', text: `${customer.nickname} 的微信，从企业的客服入口进来` }));
  }

  #becomeAnother() {
    byId('customer-popover').hidePopover();
    const [pick, number] = crypto.getRandomValues(new Uint32Array(2));
    const others = OTHER_NICKNAMES.filter((nickname) => nickname !== this.#customer?.nickname);
    this.#become({ id: `wm${number.toString(36)}`, nickname: others[pick % others.length] });
    this.live.poke();
    focusGently(this.#input);
  }

  /** One after the other, so that messages arrive in the order in which they were written. */
  #act(action, more) {
    if (!this.#account || !this.#customer) return;
    const request = { open_kfid: this.#account.open_kfid, customer: this.#customer.id, ...more };
    this.#sending = this.#sending.then(() => this.#do(action, request));
  }

  async #do(action, request) {
    try {
      await call(`/control/${action}`, request);
    } catch (error) {
      const again = button({ className: 'resend', text: '重发' }, () => {
        row.remove();
        this.#sending = this.#sending.then(() => this.#do(action, request));
      });
      const box = element('div', { className: 'undelivered' }, element('span', { text: `没有送达：${error.message}` }), again);
      const row = element('div', { className: 'system' }, box);
      this.#log.append(row);
      this.#log.scrollToEnd();
    }
    this.live.poke();
  }
}

const lastSign = ({ wrote_at: wrote, entered_at: entered }) => Math.max(wrote ?? 0, entered ?? 0);

/** Who looks after the customer, in words. */
function stateOf(session) {
  switch (session?.state) {
    case STATE.pool:
      return ['已转人工，正在等同事接入', 'waiting'];
    case STATE.human:
      return [`${servicerName(session.servicer)} 正在接待，机器人不插话`, 'human'];
    default:
      return ['机器人在接待', 'bot'];
  }
}
