import { renderCard } from './card.js';
import { Clock } from './clock.js';
import { Composer } from './composer.js';
import { Desk } from './desk.js';
import { button, byId, call, element, focusGently, icon } from './dom.js';
import { Live } from './live.js';
import { Log } from './log.js';
import { Panes } from './panes.js';
import { isOption, renderReply } from './reply.js';
import { now, setClocks, shown, timeOfDay } from './time.js';
import { KIND_NAMES, attachmentContent } from './transcript.js';
import { WeChat } from './wechat.js';
import { clipLongBlocks, duration, fillWire, learnNames } from './wire.js';

const messages = byId('messages');
const input = byId('input');
const log = new Log({ messages, jump: byId('jump'), pane: byId('chat') });

// A reply comes within milliseconds; dots that flash for one frame would only flicker.
const TYPING_DELAY_MS = 150;

const state = {
  user: '',
  // Counts the conversations, so that a late reply to a former employee is dropped.
  conversation: 0,
  // Up to which message the phone has been shown.
  after: 0,
  // What the app sent on its own account while something was being delivered; it is shown after that.
  arrived: [],
  // The cards on the phone, by their task.
  cards: new Map(),
  exchanges: [],
  selected: null,
  queue: [],
  isDelivering: false,
  latestOptions: [],
};

// Messages

const initial = (user) => (user[0] ?? '?').toUpperCase();

function botRow(content) {
  const avatar = element('span', { className: 'avatar avatar-bot', 'aria-hidden': 'true' }, icon('unlock'));
  return element('div', { className: 'row row-bot' }, avatar, element('div', { className: 'column' }, content));
}

function userBubbleContent({ kind, text, label }) {
  if (kind !== 'text') return attachmentContent(kind);
  if (!label) return [document.createTextNode(text)];
  return [
    element('span', { className: 'bubble-number', text }),
    element('span', { className: 'bubble-label', text: label }),
  ];
}

function appendUserMessage(exchange) {
  log.separateByTime(exchange.at);
  const isAttachment = exchange.kind !== 'text';
  const bubble = element(
    'div',
    {
      className: `bubble bubble-user ${isAttachment ? `bubble-attachment bubble-${exchange.kind}` : ''}`,
      testId: 'message-user',
    },
    ...userBubbleContent(exchange),
  );
  if (isAttachment) {
    bubble.setAttribute('role', 'img');
    bubble.setAttribute('aria-label', KIND_NAMES[exchange.kind]);
  }
  bubble.addEventListener('click', () => {
    // Whoever marks text in the bubble wants to copy it, not to look behind it.
    if (getSelection()?.isCollapsed ?? true) inspect(exchange);
  });
  const meta = button({ className: 'meta', text: '发送中…' }, () => inspect(exchange));
  const avatar = element('span', { className: 'avatar avatar-user', 'aria-hidden': 'true', text: initial(state.user) });
  const line = element('div', { className: 'bubble-line' }, bubble);
  const column = element('div', { className: 'column' }, line, meta);
  const row = element('div', { className: 'row row-user' }, avatar, column);
  Object.assign(exchange, { row, column, line, meta, mark: bubble });
  log.append(row);
  log.reveal(row);
}

function appendEntering(exchange) {
  log.separateByTime(exchange.at);
  const meta = button({ className: 'meta enter', text: `${state.user} 打开了应用` }, () => inspect(exchange));
  const row = element('div', { className: 'system' }, meta);
  Object.assign(exchange, { row, meta, mark: meta });
  log.append(row);
}

function optionButton(digit, label) {
  const made = button(
    { className: 'option' },
    () => {
      made.classList.add('option-chosen');
      send('text', digit, label);
    },
    element('span', { className: 'option-number', text: digit }),
    element('span', { className: 'option-label', text: label }),
  );
  return made;
}

/** Only what was asked last can be chosen, and only once the bot has answered everything sent. */
function refreshOptions() {
  const isWaiting = state.isDelivering || state.queue.length > 0;
  for (const option of messages.querySelectorAll('.option')) {
    const isLive = !isWaiting && state.latestOptions.includes(option);
    option.disabled = !isLive;
    if (isLive) option.dataset.testid = 'option';
    else delete option.dataset.testid;
  }
}

function appendBotMessage(text, language) {
  const { content, options } = renderReply(text, optionButton);
  const bubble = element('div', { className: 'bubble bubble-bot', testId: 'message-bot' }, content);
  if (language) bubble.lang = language === 'zh' ? 'zh-CN' : language;
  const row = botRow(bubble);
  log.append(row);
  state.latestOptions = options;
  return row;
}

function showTyping() {
  const dots = element('span', { className: 'bubble bubble-bot typing', testId: 'typing', 'aria-hidden': 'true' });
  dots.append(element('span'), element('span'), element('span'));
  const row = botRow(dots);
  row.classList.add('row-typing');
  messages.append(row);
  log.scrollToEnd();
}

function hideTyping() {
  messages.querySelector('.row-typing')?.remove();
}

// Delivering, one message at a time

function send(kind, text = '', label = '') {
  const exchange = { kind, text, label, at: now(), answer: null };
  state.exchanges.push(exchange);
  appendUserMessage(exchange);
  enqueue(exchange);
}

function enter() {
  const exchange = { kind: 'enter', text: '', label: '', at: now(), answer: null };
  state.exchanges.push(exchange);
  appendEntering(exchange);
  enqueue(exchange);
}

/** Shows again what was sent before the page was loaded; the simulator remembers it, and so does the bot. */
function restore({ kind, text, at, answer }) {
  const option = state.latestOptions.find((made) => made.querySelector('.option-number').textContent === text);
  option?.classList.add('option-chosen');
  const label = option?.querySelector('.option-label').textContent ?? '';
  const exchange = { kind: kind ?? 'enter', text, label, at: shown(at), answer };
  state.exchanges.push(exchange);
  if (kind) appendUserMessage(exchange);
  else appendEntering(exchange);
  conclude(exchange);
}

function resend(exchange) {
  exchange.row.remove();
  state.exchanges = state.exchanges.filter((other) => other !== exchange);
  if (exchange.kind === 'enter') enter();
  else send(exchange.kind, exchange.text, exchange.label);
  focusInput();
}

function enqueue(exchange) {
  state.queue.push(exchange);
  select(exchange);
  deliverQueued();
}

async function deliverQueued() {
  if (state.isDelivering) return;
  const { conversation } = state;
  state.isDelivering = true;
  refreshOptions();
  while (state.queue.length > 0) {
    const exchange = state.queue.shift();
    const typing = setTimeout(showTyping, TYPING_DELAY_MS);
    const answer = await deliver(exchange);
    clearTimeout(typing);
    if (conversation !== state.conversation) return;
    hideTyping();
    exchange.answer = answer;
    conclude(exchange);
    showArrived();
  }
  state.isDelivering = false;
  showArrived();
  refreshOptions();
  live.poke();
}

async function deliver({ kind, text }) {
  const { user } = state;
  try {
    return kind === 'enter'
      ? await call('/api/enter', { user })
      : await call('/api/messages', { user, kind, text });
  } catch (error) {
    return { outcome: 'undelivered', problem: error.message };
  }
}

function conclude(exchange) {
  const { answer } = exchange;
  const isUndelivered = answer.outcome === 'undelivered';
  const spent = (answer.attempts ?? []).reduce((sum, { micros = 0 }) => sum + micros, 0);
  if (isUndelivered) {
    showUndelivered(exchange);
  } else if (exchange.kind === 'enter') {
    exchange.meta.textContent = `${state.user} 打开了应用 · ${duration(spent)}`;
  } else {
    exchange.meta.textContent = `${answer.reply ? '已回复' : '已送达'} · ${duration(spent)}`;
  }
  learnNames(answer);
  if (answer.reply) {
    log.reveal(appendBotMessage(answer.reply, answer.decision?.language));
  } else if (!isUndelivered) {
    // Who comes back in the middle of a conversation is not greeted again.
    const text = exchange.kind === 'enter' ? '企业微信已送达，机器人这次没有打招呼。想从头开始，就换个员工。' : '企业微信已送达，机器人没有回复';
    log.append(element('div', { className: 'system', text }));
    log.scrollToEnd();
  }
  if (state.selected === exchange) renderWire();
}

function showUndelivered(exchange) {
  const problem = exchange.answer.problem ?? '没有送达';
  const box = element(
    'div',
    { className: 'undelivered', testId: 'undelivered' },
    element('span', { text: `没有送达：${problem}` }),
    button({ className: 'resend', text: '重发' }, () => resend(exchange)),
  );
  const mark = element('span', { className: 'failure', role: 'img', 'aria-label': '没有送达', text: '!' });
  if (exchange.kind === 'enter') {
    exchange.row.append(mark, box);
  } else {
    exchange.line.prepend(mark);
    exchange.meta.remove();
    box.append(button({ className: 'resend', text: '线路' }, () => inspect(exchange)));
    exchange.column.append(box);
  }
  log.scrollToEnd();
}

// What the app sends on its own account

/** A passive reply has no id and came with its exchange; everything else of the app is sent. */
const isSent = ({ sender, kind, msgid }) => sender === 'bot' && (kind === 'card_update' || msgid !== null);

function take({ user: phone }, asked) {
  if (asked.user !== state.user || asked.user_after !== state.after) return;
  state.after = phone.newest;
  const sent = phone.messages.filter(isSent);
  if (sent.length === 0) return;
  state.arrived.push(...sent);
  if (!state.isDelivering) showArrived();
}

function showArrived() {
  for (const message of state.arrived.splice(0)) {
    const row = appendSent(message);
    if (row) log.reveal(row);
    panes.tell('member');
  }
}

function appendSent({ kind, text, body, at }) {
  if (kind === 'card_update') return changeCard(body);
  const time = shown(at);
  log.separateByTime(time);
  const isCard = kind === 'template_card';
  const row = isCard ? appendCard(body) : appendBotMessage(text, '');
  row.querySelector('.column').append(element('span', { className: 'meta', text: `应用主动发送 · ${timeOfDay(time)}` }));
  if (!isCard) refreshOptions();
  return row;
}

function appendCard(card) {
  const bubble = element('div', { className: 'bubble bubble-bot card', testId: 'card' });
  state.cards.set(card.task_id, bubble);
  fillCard(bubble, card);
  const row = botRow(bubble);
  log.append(row);
  return row;
}

function changeCard(card) {
  const bubble = state.cards.get(card.task_id);
  if (bubble) fillCard(bubble, card);
  return null;
}

function fillCard(bubble, card) {
  bubble.replaceChildren(...renderCard(card, (key, label) => press(card, key, label)));
}

async function press(card, key, label) {
  const exchange = { kind: 'press', text: '', label, at: now(), answer: null };
  const meta = button({ className: 'meta enter', text: `${state.user} 点了“${label}”` }, () => inspect(exchange));
  const row = element('div', { className: 'system' }, meta);
  Object.assign(exchange, { row, meta, mark: meta });
  state.exchanges.push(exchange);
  log.append(row);
  log.scrollToEnd();
  try {
    exchange.answer = await call('/control/member/press', { member: state.user, task_id: card.task_id, key });
  } catch (error) {
    exchange.answer = { outcome: 'undelivered', problem: error.message };
    fillCard(state.cards.get(card.task_id), card);
    meta.textContent = `没有送达：${error.message}`;
  }
  select(exchange);
  live.poke();
}

// Wire panel

const wire = byId('wire');
const isWide = matchMedia('(min-width: 1100px)');

function select(exchange) {
  state.selected?.mark?.classList.remove('selected');
  state.selected = exchange;
  markSelected();
  renderWire();
}

function markSelected() {
  state.selected?.mark?.classList.toggle('selected', !wire.hidden);
}

function inspect(exchange) {
  select(exchange);
  openWire();
}

function openWire() {
  wire.hidden = false;
  arrangeWire();
  renderWire();
  byId('wire-body').scrollTop = 0;
  if (!isWide.matches) byId('wire-close').focus();
}

function closeWire() {
  wire.hidden = true;
  arrangeWire();
  byId('wire-toggle').focus({ preventScroll: true });
}

/** Beside the chat where there is room, otherwise a sheet over it. */
function arrangeWire() {
  const isSheet = !wire.hidden && !isWide.matches;
  byId('window').classList.toggle('window-with-wire', !wire.hidden);
  byId('wire-toggle').setAttribute('aria-expanded', String(!wire.hidden));
  byId('chat').inert = isSheet;
  if (isSheet) {
    wire.setAttribute('role', 'dialog');
    wire.setAttribute('aria-modal', 'true');
  } else {
    wire.removeAttribute('role');
    wire.removeAttribute('aria-modal');
  }
  markSelected();
  log.updateJump();
}
function subjectOf(exchange) {
  if (exchange.kind === 'enter') return '打开应用（事件）';
  if (exchange.kind === 'press') return `点卡片上的“${exchange.label}”（事件）`;
  if (exchange.kind !== 'text') return KIND_NAMES[exchange.kind];
  return exchange.label ? `${exchange.text}（${exchange.label}）` : exchange.text;
}

function renderWire() {
  if (wire.hidden) return;
  const exchange = state.selected;
  const index = state.exchanges.indexOf(exchange);
  byId('wire-previous').disabled = index <= 0;
  byId('wire-next').disabled = index < 0 || index >= state.exchanges.length - 1;
  const subject = exchange && element('strong', { text: subjectOf(exchange) });
  byId('wire-subject').replaceChildren(...(subject ? ['消息：', subject] : []));
  const answer = exchange?.answer;
  const empty = byId('wire-empty');
  empty.hidden = Boolean(answer?.wire);
  byId('wire-steps').hidden = !answer?.wire;
  if (answer?.wire) fillWire(answer);
  else empty.textContent = !exchange ? '还没有消息。' : (answer?.problem ?? '正在投递…');
}

function step(by) {
  const index = state.exchanges.indexOf(state.selected) + by;
  const exchange = state.exchanges[index];
  if (!exchange) return;
  select(exchange);
  exchange.row.scrollIntoView({ block: 'nearest' });
}

// Writing

const focusInput = () => focusGently(input);

function attach(kind) {
  send(kind);
  focusInput();
}

const composer = new Composer({
  box: byId('composer'),
  input,
  send: byId('send'),
  more: byId('attach'),
  attachments: byId('attachments'),
  onText: (text) => send('text', text),
  onAttachment: attach,
  onOpen: () => log.isAtEnd && requestAnimationFrame(() => log.scrollToEnd()),
});

// Employees

const FAMILY_NAMES = ['Wang', 'Zhang', 'Liu', 'Chen', 'Yang', 'Zhao', 'Huang', 'Zhou', 'Wu', 'Xu', 'Sun', 'Lin'];
const GIVEN_NAMES = ['Wei', 'Fang', 'Min', 'Jing', 'Lei', 'Yan', 'Tao', 'Ming', 'Xia', 'Bo', 'Qiang', 'Ning'];

function randomUser() {
  const [family, given, number] = crypto.getRandomValues(new Uint32Array(3));
  const pick = (names, at) => names[at % names.length];
  return `${pick(FAMILY_NAMES, family)}${pick(GIVEN_NAMES, given)}${String(number % 10000).padStart(4, '0')}`;
}

function become(user, history = [], phone = { messages: [], newest: 0 }) {
  Object.assign(state, {
    user,
    conversation: state.conversation + 1,
    after: phone.newest,
    arrived: [],
    cards: new Map(),
    exchanges: [],
    selected: null,
    queue: [],
    isDelivering: false,
    latestOptions: [],
  });
  byId('user-name').textContent = user;
  byId('popover-user').textContent = user;
  log.clear(element('div', { className: 'system', text: '本机模拟器，不连接真的企业微信' }));
  if (history.length === 0) {
    enter();
    return;
  }
  const sent = phone.messages.filter(isSent);
  for (const exchange of history) {
    while (sent[0]?.number <= exchange.before) appendSent(sent.shift());
    restore(exchange);
  }
  sent.forEach(appendSent);
  log.scrollToEnd();
  select(state.exchanges.at(-1));
  refreshOptions();
}

// Start

function showInfo({ callback_url: callbackUrl, verification }) {
  byId('callback-url').textContent = callbackUrl ?? '';
  const place = byId('verification');
  place.classList.add(verification?.ok ? 'good' : 'bad');
  place.textContent = verification?.ok ? `通过 · ${duration(verification.micros)}` : (verification?.error ?? '没有通过');
}

function showFailureToStart(error) {
  const retry = button({ className: 'resend', text: '重试' }, start);
  messages.replaceChildren(
    element(
      'div',
      { className: 'system' },
      element('div', { className: 'undelivered', testId: 'undelivered' }, element('span', { text: error.message }), retry),
    ),
  );
}

async function start() {
  let info;
  let history;
  let news;
  try {
    info = await call('/api/info');
    history = await call(`/api/history?user=${encodeURIComponent(info.user)}`);
    news = await call(`/api/live?${new URLSearchParams({ user: info.user, user_after: 0 })}`);
  } catch (error) {
    showFailureToStart(error);
    return;
  }
  showInfo(info);
  setClocks(news.clock);
  become(info.user, history, news.user);
  live.poke();
  if (info.verification && !info.verification.ok) {
    const text = `回调地址没有通过验证：${info.verification.error ?? '原因不明'}`;
    messages.append(element('div', { className: 'system' }, element('span', { className: 'undelivered', text })));
  }
}

const panes = new Panes({ onShow: (name) => parts[name]?.scrollToEnd() });
const live = new Live(() => ({ user: state.user, user_after: state.after, ...parts.wechat.phone }));
const parts = { member: log, wechat: new WeChat({ live, panes }), desk: new Desk({ live, panes }) };
new Clock({ live, onMoved: focusInput });
live.watch(take);
live.watch(({ accounts }) => document.body.classList.toggle('with-customers', accounts.length > 0));

byId('voice').addEventListener('click', () => attach('voice'));
byId('chips').addEventListener('click', (event) => {
  const chip = event.target.closest('.chip');
  if (!chip) return;
  composer.showAttachments(false);
  send('text', chip.textContent);
});
byId('new-user').addEventListener('click', () => {
  byId('user-popover').hidePopover();
  become(randomUser());
  focusInput();
});
byId('wire-toggle').addEventListener('click', () => (wire.hidden ? openWire() : closeWire()));
byId('wire-close').addEventListener('click', closeWire);
byId('wire-previous').addEventListener('click', () => step(-1));
byId('wire-next').addEventListener('click', () => step(1));
byId('wire-steps').addEventListener('toggle', clipLongBlocks, true);
isWide.addEventListener('change', arrangeWire);
document.addEventListener('keydown', (event) => {
  const isForWire = event.key === 'Escape' && !event.isComposing && !wire.hidden && !isWide.matches;
  if (isForWire) closeWire();
});

focusInput();
start();
