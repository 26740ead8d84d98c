import { button, byId, call, element, focusGently } from './dom.js';
import { Composer } from './composer.js';
import { Log } from './log.js';
import { shown, shortDayAndTime } from './time.js';
import { messageRow, servicerName } from './transcript.js';
import { STATE } from './wechat.js';

const STATE_NAMES = { 0: '机器人接待', 1: '机器人接待', 2: '等待接入', 3: '接待中', 4: '已结束' };
const STATE_KINDS = { 0: 'bot', 1: 'bot', 2: 'waiting', 3: 'human', 4: 'ended' };
const ORDER = [STATE.pool, STATE.human, STATE.new, STATE.assistant, STATE.ended];
const HINTS = {
  0: '机器人在接待。客户说“转人工”，就会排到这里。',
  1: '机器人在接待。客户说“转人工”，就会排到这里。',
  2: '客户在等。接入以后，机器人就不再插话。',
  4: '会话已结束，客户再来先由机器人接待。',
};

/** Where a servicer receives customers whom the bot hands over. */
export class Desk {
  #messages = byId('desk-messages');
  #log = new Log({ messages: this.#messages, jump: byId('desk-jump'), pane: byId('desk') });
  #input = byId('desk-input');
  #list = byId('desk-sessions');
  #account = null;
  #servicer = null;
  #sessions = [];
  #selected = null;
  #after = 0;
  #isReading = false;
  #waiting = new Set();
  #doing = Promise.resolve();

  constructor({ live, panes }) {
    Object.assign(this, { live, panes });
    new Composer({
      box: byId('desk-composer'),
      input: this.#input,
      send: byId('desk-send'),
      onText: (text) => this.#act('servicer/write', { text }),
    });
    byId('desk-take').addEventListener('click', () => this.#act('servicer/take'));
    byId('desk-end').addEventListener('click', () => this.#act('servicer/end'));
    byId('desk-duty').addEventListener('click', () => this.#changeDuty());
    live.watch((news) => this.#take(news));
  }

  scrollToEnd() {
    this.#log.scrollToEnd();
  }

  #take({ accounts: [account], sessions }) {
    if (!account) return;
    this.#account = account;
    this.#servicer = account.servicers[0] ?? null;
    this.#showDuty();
    const theirs = sessions.filter(({ open_kfid: id }) => id === account.open_kfid);
    theirs.sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state) || lastSign(other) - lastSign(one));
    this.#noticeWaiting(theirs);
    this.#sessions = theirs;
    const isGone = !theirs.some(({ customer }) => customer === this.#selected);
    if (isGone) this.#select(theirs[0]?.customer ?? null);
    this.#showSessions();
    this.#showActions();
    this.#read();
  }

  /** Who asks for a person comes to the front, unless somebody is being received. */
  #noticeWaiting(sessions) {
    const waiting = sessions.filter(({ state }) => state === STATE.pool).map(({ customer }) => customer);
    const come = waiting.filter((customer) => !this.#waiting.has(customer));
    this.#waiting = new Set(waiting);
    if (come.length === 0) return;
    this.panes.tell('desk');
    const current = sessions.find(({ customer }) => customer === this.#selected);
    if (current?.state !== STATE.human) this.#select(come[0]);
  }

  #select(customer) {
    if (customer === this.#selected) return;
    this.#selected = customer;
    this.#after = 0;
    this.#log.clear();
  }

  get #session() {
    return this.#sessions.find(({ customer }) => customer === this.#selected);
  }

  #showSessions() {
    const described = this.#sessions.map((session) => JSON.stringify([session.customer, session.nickname, session.state, lastSign(session)]));
    const key = [...described, this.#selected].join();
    if (this.#list.dataset.key === key) return;
    this.#list.dataset.key = key;
    const focused = document.activeElement?.closest?.('.session')?.dataset.customer;
    this.#list.replaceChildren(...this.#sessions.map((session) => this.#sessionItem(session)));
    if (this.#sessions.length === 0) this.#list.append(element('li', { className: 'sessions-empty', text: '还没有客户来过' }));
    if (focused) this.#list.querySelector(`[data-customer="${CSS.escape(focused)}"]`)?.focus();
  }

  #sessionItem(session) {
    const { customer, nickname, state } = session;
    const made = button(
      { className: 'session', testId: 'desk-session', 'data-customer': customer, 'aria-pressed': String(customer === this.#selected) },
      () => {
        this.#select(customer);
        this.#showSessions();
        this.#showActions();
        this.live.poke();
      },
      element('span', { className: 'avatar avatar-myself', 'aria-hidden': 'true', text: nickname.slice(0, 1) }),
      element('span', { className: 'session-name', text: nickname }),
      element('span', { className: `state state-${STATE_KINDS[state]}`, text: STATE_NAMES[state] }),
      element('time', { className: 'session-time', text: lastSign(session) ? shortDayAndTime(shown(lastSign(session))) : '' }),
    );
    return element('li', {}, made);
  }

  #showActions() {
    const session = this.#session;
    const state = session?.state;
    const isOurs = state === STATE.human && session.servicer === this.#servicer?.userid;
    const hint = state === STATE.human && !isOurs ? `${servicerName(session.servicer)} 正在接待。` : (HINTS[state] ?? '客户来了会出现在这里。');
    const focused = document.activeElement;
    const isHere = byId('desk-footer').contains(focused);
    byId('desk-take').hidden = state !== STATE.pool;
    byId('desk-end').hidden = !isOurs;
    byId('desk-composer').hidden = !isOurs;
    byId('desk-hint').hidden = isOurs;
    byId('desk-hint').textContent = hint;
    // What was pressed may be gone now; the keyboard goes on with what took its place.
    if (!isHere || focused.offsetParent) return;
    if (isOurs) focusGently(this.#input);
    else this.#list.querySelector('[aria-pressed="true"]')?.focus({ preventScroll: true });
  }

  #showDuty() {
    const { on_duty: isOnDuty = false, userid = '' } = this.#servicer ?? {};
    byId('desk-servicer').textContent = servicerName(userid);
    const duty = byId('desk-duty');
    duty.setAttribute('aria-checked', String(isOnDuty));
    byId('desk-duty-name').textContent = isOnDuty ? '接待中' : '暂停接待';
  }

  /** The conversation as the customer sees it, from the bot's first word on. */
  async #read() {
    const customer = this.#selected;
    if (!customer || this.#isReading) return;
    this.#isReading = true;
    const query = new URLSearchParams({ customer, open_kfid: this.#account.open_kfid, after: this.#after });
    const seen = await call(`/control/seen?${query}`).catch(() => null);
    this.#isReading = false;
    if (!seen || customer !== this.#selected) return;
    const isFirst = this.#after === 0;
    this.#after = seen.newest;
    for (const message of seen.messages) this.#show(message, isFirst);
    if (isFirst) this.#log.scrollToEnd();
  }

  #show(message, isFirst) {
    this.#log.separateByTime(shown(message.at));
    const row = messageRow(message, {
      mine: ['bot', 'servicer'],
      customerName: this.#session?.nickname ?? '',
      testIds: { myself: 'desk-customer', bot: 'desk-bot', servicer: 'desk-servicer-message' },
    });
    this.#log.append(row);
    if (isFirst) return;
    this.#log.scrollToEnd();
    if (message.sender === 'myself' && this.#session?.state === STATE.human) this.panes.tell('desk');
  }

  #changeDuty() {
    if (!this.#servicer) return;
    const { userid: servicer, on_duty: isOnDuty } = this.#servicer;
    const { open_kfid } = this.#account;
    this.#do('servicer/duty', { open_kfid, servicer, on_duty: !isOnDuty, paused: isOnDuty });
  }

  #act(action, more = {}) {
    const { open_kfid } = this.#account;
    this.#do(action, { open_kfid, customer: this.#selected, servicer: this.#servicer.userid, ...more });
  }

  #do(action, request) {
    this.#doing = this.#doing.then(async () => {
      try {
        await call(`/control/${action}`, request);
      } catch (error) {
        this.#log.append(element('div', { className: 'system' }, element('span', { className: 'undelivered', text: `没有做成：${error.message}` })));
        this.#log.scrollToEnd();
      }
      this.live.poke();
    });
  }
}

const lastSign = ({ wrote_at: wrote, entered_at: entered }) => Math.max(wrote ?? 0, entered ?? 0);
