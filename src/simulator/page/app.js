const byId = (id) => document.getElementById(id);
const messages = byId('messages');
const input = byId('input');

const KIND_NAMES = { image: '图片', voice: '语音', video: '视频', location: '位置', link: '链接' };
const KIND_ICONS = { image: 'image', voice: 'sound', video: 'play', location: 'location', link: 'link' };
const DECISION_NAMES = { answer: '直接回答', ask_back: '反问', refuse: '不归我管', smalltalk: '寒暄', human: '转人工' };
const CLASS_KIND_NAMES = { outside: '不归我管的问题', smalltalk: '寒暄', human: '转人工' };
const VIEW_NAMES = { characters: '字', letters: '字', sounds: '音', words: '词' };
const LANGUAGE_NAMES = { zh: '中文', en: '英文', chinese: '中文', english: '英文' };
const QUERY_NAMES = { msg_signature: '签名', timestamp: '时间', nonce: '随机数', echostr: '验证串' };

// A reply comes within milliseconds; dots that flash for one frame would only flicker.
const TYPING_DELAY_MS = 150;
const SEPARATE_AFTER_MS = 5 * 60 * 1000;

const state = {
  user: '',
  // Counts the conversations, so that a late reply to a former employee is dropped.
  conversation: 0,
  clockOffset: 0,
  lastSeparator: 0,
  exchanges: [],
  selected: null,
  queue: [],
  isDelivering: false,
  latestOptions: [],
  // Scenario ids are all the server names; what they are called is learnt from what the bot says.
  scenarioNames: new Map(),
};

function element(tag, { className, text, testId, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (testId) made.dataset.testid = testId;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter(Boolean));
  return made;
}

function button(properties, onClick, ...children) {
  const made = element('button', { type: 'button', ...properties }, ...children);
  made.addEventListener('click', onClick);
  return made;
}

function icon(name) {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  const use = document.createElementNS(namespace, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

const clock = new Intl.DateTimeFormat('zh-CN', { hour: '2-digit', minute: '2-digit', hour12: false });
const now = () => Date.now() + state.clockOffset;

function duration(micros) {
  if (typeof micros !== 'number') return '';
  if (micros < 1000) return `${micros} 微秒`;
  if (micros < 1_000_000) return `${(micros / 1000).toFixed(1)} 毫秒`;
  return `${(micros / 1_000_000).toFixed(2)} 秒`;
}

const milliseconds = (micros) => (typeof micros === 'number' ? `${(micros / 1000).toFixed(1)} 毫秒` : '');

function percent(share) {
  if (typeof share !== 'number') return '–';
  const value = share * 100;
  return value > 0 && value < 1 ? '<1%' : `${Math.round(value)}%`;
}

// Server

async function call(path, body) {
  const options = body && {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error('模拟器没有响应，可能已经停了');
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.problem ?? `模拟器出错（HTTP ${response.status}）`);
  if (!answer) throw new Error('模拟器的回答看不懂');
  return answer;
}

// Scrolling

const prefersStillness = matchMedia('(prefers-reduced-motion: reduce)');

function scrollTo(top) {
  messages.scrollTo({ top, behavior: prefersStillness.matches ? 'instant' : 'smooth' });
}

const scrollToEnd = () => scrollTo(messages.scrollHeight);

/** Shows the newest row; of one taller than the log its beginning, so that an answer is read from its title on. */
function reveal(row) {
  const space = messages.clientHeight - 24;
  const previous = row.previousElementSibling;
  const isTall = row.offsetHeight > space;
  if (!isTall) return scrollToEnd();
  const questionFits = previous?.classList.contains('row-user') && previous.offsetHeight < space / 4;
  const first = questionFits ? previous : row;
  scrollTo(first.offsetTop - messages.offsetTop - 10);
}

const isAtEnd = () => messages.scrollHeight - messages.scrollTop - messages.clientHeight < 60;

function updateJump() {
  const jump = byId('jump');
  jump.hidden = isAtEnd();
  jump.style.bottom = `${byId('chat').clientHeight - messages.offsetTop - messages.clientHeight + 12}px`;
}

// Messages

function separateByTime(time) {
  if (time - state.lastSeparator < SEPARATE_AFTER_MS) return;
  state.lastSeparator = time;
  messages.append(element('div', { className: 'separator' }, element('time', { text: clock.format(time) })));
}

function append(row) {
  row.classList.add('appear');
  const typing = messages.querySelector('.row-typing');
  if (typing) typing.before(row);
  else messages.append(row);
}

function preview(text, time) {
  byId('preview').textContent = text.split('\n')[0];
  byId('preview-time').textContent = clock.format(time);
}

const initial = (user) => (user[0] ?? '?').toUpperCase();

function botRow(content) {
  const avatar = element('span', { className: 'avatar avatar-bot', 'aria-hidden': 'true' }, icon('unlock'));
  return element('div', { className: 'row row-bot' }, avatar, element('div', { className: 'column' }, content));
}

function userBubbleContent({ kind, text, label }) {
  if (kind !== 'text') {
    const name = kind === 'voice' ? '3″' : KIND_NAMES[kind];
    return [icon(KIND_ICONS[kind]), element('span', { text: name })];
  }
  if (!label) return [document.createTextNode(text)];
  return [
    element('span', { className: 'bubble-number', text }),
    element('span', { className: 'bubble-label', text: label }),
  ];
}

function appendUserMessage(exchange) {
  separateByTime(exchange.at);
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
  append(row);
  reveal(row);
  preview(isAttachment ? `[${KIND_NAMES[exchange.kind]}]` : exchange.text, exchange.at);
}

function appendEntering(exchange) {
  separateByTime(exchange.at);
  const meta = button({ className: 'meta enter', text: `${state.user} 打开了应用` }, () => inspect(exchange));
  const row = element('div', { className: 'system' }, meta);
  Object.assign(exchange, { row, meta, mark: meta });
  append(row);
}

function isOption(line) {
  return /^【(\d{1,2})】\s*(.+)$/.exec(line);
}

function replyLine(line) {
  const step = /^(\d{1,2})[.．、]\s*(\S.*)$/.exec(line);
  if (step) {
    return element(
      'div',
      { className: 'reply-step' },
      element('span', { className: 'reply-step-number', text: `${step[1]}.` }),
      element('span', { text: step[2] }),
    );
  }
  const labelled = /^([^：:，。、；？！“”（）\s]{1,8}：)(.*)$/.exec(line) ?? /^([A-Z][A-Za-z' ]{1,24}:)(\s.*|)$/.exec(line);
  if (labelled) {
    return element('div', {}, element('span', { className: 'reply-label', text: labelled[1] }), labelled[2]);
  }
  return element('div', { text: line });
}

/** The reply's plain text as elements, and the option buttons among them. */
function renderReply(text) {
  const parts = [];
  const options = [];
  let group = null;
  text.split('\n').forEach((line, index, lines) => {
    const option = isOption(line);
    if (option) {
      if (!group) parts.push((group = element('div', { className: 'options', role: 'group', 'aria-label': '选项' })));
      const made = optionButton(option[1], option[2]);
      options.push(made);
      group.append(made);
      return;
    }
    const followsOptions = group !== null;
    group = null;
    const title = index === 0 && /^【([^】]*\D[^】]*)】$/.exec(line);
    if (title) parts.push(element('div', { className: 'reply-title', text: title[1] }));
    else if (!line.trim()) parts.push(element('div', { className: 'reply-gap', role: 'presentation' }));
    else if (followsOptions && index === lines.length - 1) parts.push(element('div', { className: 'reply-hint', text: line }));
    else parts.push(replyLine(line));
  });
  return { content: element('div', { className: 'reply' }, ...parts), options };
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

function appendBotMessage(text, language, time) {
  const { content, options } = renderReply(text);
  const bubble = element('div', { className: 'bubble bubble-bot', testId: 'message-bot' }, content);
  if (language) bubble.lang = language === 'zh' ? 'zh-CN' : language;
  const row = botRow(bubble);
  append(row);
  state.latestOptions = options;
  preview(text, time);
  return row;
}

function showTyping() {
  const dots = element('span', { className: 'bubble bubble-bot typing', testId: 'typing', 'aria-hidden': 'true' });
  dots.append(element('span'), element('span'), element('span'));
  const row = botRow(dots);
  row.classList.add('row-typing');
  messages.append(row);
  scrollToEnd();
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
  const exchange = { kind: kind ?? 'enter', text, label, at: at + state.clockOffset, answer };
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
  }
  state.isDelivering = false;
  refreshOptions();
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
    reveal(appendBotMessage(answer.reply, answer.decision?.language, exchange.at));
  } else if (!isUndelivered) {
    // Who comes back in the middle of a conversation is not greeted again.
    const text = exchange.kind === 'enter' ? '企业微信已送达，机器人这次没有打招呼。想从头开始，就换个员工。' : '企业微信已送达，机器人没有回复';
    append(element('div', { className: 'system', text }));
    scrollToEnd();
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
  scrollToEnd();
}

function learnNames({ reply, decision }) {
  const scenarios = decision?.scenarios ?? [];
  if (!reply) return;
  const lines = reply.split('\n');
  const title = /^【([^】]*\D[^】]*)】$/.exec(lines[0]);
  if (decision?.decision === 'answer' && title && scenarios.length === 1) {
    state.scenarioNames.set(scenarios[0], title[1]);
    return;
  }
  const labels = lines.map(isOption).filter(Boolean).map((option) => option[2]);
  if (decision?.decision === 'ask_back' && !title && labels.length === scenarios.length) {
    scenarios.forEach((id, index) => {
      if (!state.scenarioNames.has(id)) state.scenarioNames.set(id, labels[index]);
    });
  }
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
  updateJump();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element('textarea', { className: 'sprite', readonly: '', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand('copy');
    area.remove();
    return isCopied;
  }
}

/** Splits into tags and text; what is between the marks of a CDATA section is text whatever it looks like. */
function* xmlTokens(xml) {
  let rest = xml;
  while (rest) {
    let end;
    if (rest.startsWith('<![CDATA[')) {
      end = rest.indexOf(']]>');
      if (end < 0) break;
      yield { kind: 'cdata', text: rest.slice(9, end) };
      end += 3;
    } else if (rest.startsWith('<')) {
      end = rest.indexOf('>') + 1;
      if (end === 0) break;
      yield { kind: rest[1] === '/' ? 'close' : 'open', text: rest.slice(0, end) };
    } else {
      end = rest.indexOf('<');
      if (end < 0) end = rest.length;
      yield { kind: 'text', text: rest.slice(0, end) };
    }
    rest = rest.slice(end);
  }
  if (rest) yield { kind: 'text', text: rest };
}

function prettyXml(xml) {
  const pre = element('pre');
  const add = (className, text) => pre.append(element('span', { className, text }));
  let depth = 0;
  let previous = null;
  for (const { kind, text } of xmlTokens(xml)) {
    if (kind === 'text' && !text.trim()) continue;
    if (kind === 'close') depth -= 1;
    const startsLine = (kind === 'open' && previous) || (kind === 'close' && previous === 'close');
    if (startsLine) pre.append(`\n${'  '.repeat(Math.max(depth, 0))}`);
    if (kind === 'open' || kind === 'close') add('xml-tag', text);
    else if (kind === 'cdata') {
      add('xml-mark', '<![CDATA[');
      add('xml-text', text);
      add('xml-mark', ']]>');
    } else add('xml-text', text);
    if (kind === 'open' && !text.endsWith('/>')) depth += 1;
    previous = kind;
  }
  return pre;
}

function codeBlock(name, xml) {
  const copyButton = button({ className: 'text-button', text: '复制', 'aria-label': `复制${name}` }, async () => {
    copyButton.textContent = (await copy(xml)) ? '已复制' : '没能复制';
    setTimeout(() => (copyButton.textContent = '复制'), 1500);
  });
  const head = element('div', { className: 'code-head' }, element('span', { text: name }), copyButton);
  return element('div', { className: 'code' }, head, prettyXml(xml));
}

function fields(pairs, className = '') {
  const list = element('dl', { className: `fields ${className}` });
  for (const [name, value] of pairs) list.append(element('dt', { text: name }), element('dd', { text: value }));
  return list;
}

const note = (text) => element('p', { className: 'step-note', text });
const subhead = (text) => element('h3', { className: 'subhead', text });

function describeRequest({ wire: sent }) {
  const parts = [];
  if (URL.canParse(sent.request_url)) {
    const url = new URL(sent.request_url);
    const query = [...url.searchParams].map(([name, value]) => [QUERY_NAMES[name] ?? name, `${name}=${value}`]);
    parts.push(fields([['回调地址', `POST ${url.origin}${url.pathname}`], ...query], 'fields-mono'));
  } else if (sent.request_url) {
    parts.push(fields([['回调地址', sent.request_url]], 'fields-mono'));
  }
  if (sent.request_body) parts.push(codeBlock('加密信封', sent.request_body));
  return parts;
}

function bar(name, small, share) {
  return element(
    'div',
    { className: 'bar' },
    element('span', { className: 'bar-name', text: name }, small && element('small', { text: small })),
    element('span', { className: 'bar-value', text: percent(share) }),
    element('progress', { max: '1', value: String(share ?? 0), 'aria-label': name }),
  );
}

const classOf = (candidate) => candidate?.id ?? candidate?.class ?? (typeof candidate === 'string' ? candidate : '');

function nameOf(candidate) {
  const id = classOf(candidate);
  const known = state.scenarioNames.get(id);
  if (known) return { name: known, small: id };
  const kind = CLASS_KIND_NAMES[candidate?.kind];
  return kind ? { name: kind, small: id === candidate.kind ? '' : id } : { name: id, small: '' };
}

function likelyCandidates(evidence) {
  const reasons = evidence?.reasons ?? [];
  const listed = evidence?.judgement?.candidates ?? reasons.map((reason) => reason.candidate ?? reason);
  return listed.filter(({ probability }) => probability >= 0.005).slice(0, 5);
}

function pieceChip({ text, view, weight }) {
  const isAgainst = weight < 0;
  return element(
    'li',
    { className: `piece ${isAgainst ? 'piece-against' : ''}` },
    element('span', { text }),
    view && element('span', { className: 'piece-view', text: VIEW_NAMES[view] ?? view }),
    typeof weight === 'number' &&
      element('span', { className: 'piece-weight', text: `${isAgainst ? '−' : '+'}${Math.abs(weight).toFixed(2)}` }),
  );
}

function describeReason(reason) {
  const candidate = reason.candidate ?? reason;
  const { name } = nameOf(candidate);
  const pieces = [...(reason.pieces ?? [])].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, 8);
  return [
    subhead(`为什么是“${name}”`),
    pieces.length > 0 && element('ul', { className: 'pieces' }, ...pieces.map(pieceChip)),
    reason.nearest_utterance && note(`最接近的说法：“${reason.nearest_utterance}”`),
  ];
}

/** Whether earlier messages decided, for instance because an option was chosen by its number. */
function isDecidedByContext(decision) {
  const alone = decision.evidence?.judgement?.decision;
  if (!alone?.decision) return false;
  if (alone.decision !== decision.decision) return true;
  return alone.decision === 'answer' && alone.scenario !== undefined && !decision.scenarios?.includes(alone.scenario);
}

function describeDecision({ decision }) {
  if (!decision) return [note('这条消息没有经过判断：它是事件或附件，或者机器人不在这台电脑上运行。')];
  const { evidence } = decision;
  const byContext = isDecidedByContext(decision);
  const facts = [
    ['语言', LANGUAGE_NAMES[decision.language] ?? decision.language],
    ['用时', duration(decision.micros)],
    ['知识版本', decision.knowledge_version?.slice(0, 12)],
    ['读作', evidence?.read_as],
    ['没见过的', evidence?.never_seen?.join('、')],
  ].filter(([, value]) => value);
  const scenarios = (decision.scenarios ?? []).map((id) => nameOf({ id }));
  const parts = [
    element(
      'div',
      { className: 'verdict' },
      element('span', { className: `pill pill-${decision.decision}`, text: DECISION_NAMES[decision.decision] ?? decision.decision }),
      element('span', { text: scenarios.map(({ name }) => name).join('、') }),
    ),
    bar('把握', '', decision.confidence),
    fields(facts),
  ];
  if (byContext) {
    const alone = evidence.judgement.decision.decision;
    parts.push(note(`这是结合上文定的（例如回复选项、接着追问）。单看这句话会是：${DECISION_NAMES[alone] ?? alone}。`));
  }
  if (evidence?.judgement?.is_known_utterance) parts.push(note('这句话和知识里的一种说法一字不差。'));
  if (evidence?.by_sound_only) parts.push(note('这句话是拼音，只比较了读音。'));
  const candidates = likelyCandidates(evidence);
  if (candidates.length > 0) {
    parts.push(subhead(byContext ? '单看这句话的候选' : '候选'));
    const bars = candidates.map((candidate) => {
      const { name, small } = nameOf(candidate);
      return bar(name, small, candidate.probability);
    });
    parts.push(element('div', { className: 'bars' }, ...bars));
  }
  const reasons = (evidence?.reasons ?? []).filter(
    (reason, index) => index === 0 || (reason.candidate ?? reason).probability >= 0.1,
  );
  if (!byContext && reasons.length > 0) {
    parts.push(...reasons.slice(0, 3).flatMap(describeReason));
    parts.push(note('字：写法。音：读音。词：英文单词。正数支持，负数反对。'));
  }
  return parts;
}

function describeReply(xml, name, { outcome }) {
  if (xml) return [codeBlock(name, xml)];
  return [note(outcome === 'undelivered' ? '没有收到可用的回复。' : '回复是空的：机器人收到了，没有话说。')];
}

function describeAttempts({ attempts = [] }) {
  const rows = attempts.map(({ number, status, micros, problem }) => {
    const isFine = status === 200 && !problem;
    return element(
      'li',
      { className: 'attempt' },
      element('span', { text: `第 ${number} 次` }),
      element('span', { className: `attempt-status ${isFine ? '' : 'attempt-failed'}`, text: status ? `HTTP ${status}` : '没有回应' }),
      element('span', { className: 'attempt-time', text: milliseconds(micros) }),
      problem && element('span', { className: 'attempt-problem', text: problem }),
    );
  });
  return [
    element('ol', { className: 'attempts' }, ...rows),
    note('企业微信等 5 秒；没等到 HTTP 200 就重试，一共投递 3 次。'),
  ];
}

function fill(step, brief, parts) {
  byId(`wire-${step}`).replaceChildren(...parts.filter(Boolean));
  byId(`brief-${step}`).textContent = brief;
}

/** Long blocks start clipped; whether one is long is only known once it is laid out. */
function clipLongBlocks() {
  for (const block of wire.querySelectorAll('.code:not(.code-open, .code-clipped)')) {
    const pre = block.querySelector('pre');
    if (pre.scrollHeight <= pre.clientHeight + 4) continue;
    block.classList.add('code-clipped');
    const more = button({ className: 'text-button code-more', text: '展开全部', 'aria-expanded': 'false' }, () => {
      const isOpen = block.classList.toggle('code-open');
      block.classList.toggle('code-clipped', !isOpen);
      more.textContent = isOpen ? '收起' : '展开全部';
      more.setAttribute('aria-expanded', String(isOpen));
    });
    block.append(more);
  }
}

function subjectOf(exchange) {
  if (exchange.kind === 'enter') return '打开应用（事件）';
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
  if (!answer?.wire) {
    empty.textContent = !exchange ? '还没有消息。' : (answer?.problem ?? '正在投递…');
    return;
  }
  const { wire: sent, decision, attempts = [] } = answer;
  const length = (xml) => (xml ? `${new TextEncoder().encode(xml).length} 字节` : '');
  const last = attempts.at(-1);
  fill('request', length(sent.request_body), describeRequest(answer));
  fill('plaintext', length(sent.request_plaintext), [codeBlock('消息明文', sent.request_plaintext ?? '')]);
  fill('decision', decision ? duration(decision.micros) : '没有', describeDecision(answer));
  fill('reply-plaintext', length(sent.response_plaintext), describeReply(sent.response_plaintext, '回复明文', answer));
  fill('response', length(sent.response_body), describeReply(sent.response_body, '加密信封', answer));
  const outcome = last && (last.status ? `HTTP ${last.status} · ${milliseconds(last.micros)}` : '没有回应');
  fill('attempts', attempts.length > 1 ? `${attempts.length} 次` : (outcome ?? ''), describeAttempts(answer));
  clipLongBlocks();
}

function step(by) {
  const index = state.exchanges.indexOf(state.selected) + by;
  const exchange = state.exchanges[index];
  if (!exchange) return;
  select(exchange);
  exchange.row.scrollIntoView({ block: 'nearest' });
}

// Writing

const isFinePointer = matchMedia('(pointer: fine)');

/** Where there is a keyboard anyway; on a phone the screen keyboard would cover the answer. */
function focusInput() {
  if (isFinePointer.matches) input.focus({ preventScroll: true });
}

function fitInput() {
  const isFilled = input.value.trim() !== '';
  byId('send').disabled = !isFilled;
  byId('composer').classList.toggle('composer-filled', isFilled);
  input.style.height = 'auto';
  input.style.height = `${Math.min(input.scrollHeight + 2, 132)}px`;
}

function sendInput() {
  const text = input.value.trim();
  if (!text) return;
  input.value = '';
  fitInput();
  showAttachments(false);
  send('text', text);
  input.focus({ preventScroll: true });
}

function showAttachments(isShown) {
  const wasAtEnd = isAtEnd();
  byId('attachments').hidden = !isShown;
  byId('attach').setAttribute('aria-expanded', String(isShown));
  if (isShown && wasAtEnd) scrollToEnd();
}

function attach(kind) {
  showAttachments(false);
  send(kind);
  focusInput();
}

// Employees

const FAMILY_NAMES = ['Wang', 'Zhang', 'Liu', 'Chen', 'Yang', 'Zhao', 'Huang', 'Zhou', 'Wu', 'Xu', 'Sun', 'Lin'];
const GIVEN_NAMES = ['Wei', 'Fang', 'Min', 'Jing', 'Lei', 'Yan', 'Tao', 'Ming', 'Xia', 'Bo', 'Qiang', 'Ning'];

function randomUser() {
  const [family, given, number] = crypto.getRandomValues(new Uint32Array(3));
  const pick = (names, at) => names[at % names.length];
  return `${pick(FAMILY_NAMES, family)}${pick(GIVEN_NAMES, given)}${String(number % 10000).padStart(4, '0')}`;
}

function become(user, history = []) {
  Object.assign(state, {
    user,
    conversation: state.conversation + 1,
    lastSeparator: 0,
    exchanges: [],
    selected: null,
    queue: [],
    isDelivering: false,
    latestOptions: [],
  });
  byId('user-name').textContent = user;
  byId('popover-user').textContent = user;
  byId('rail-avatar').textContent = initial(user);
  messages.replaceChildren(element('div', { className: 'system', text: '本机模拟器，不连接真的企业微信' }));
  if (history.length === 0) {
    enter();
    return;
  }
  history.forEach(restore);
  select(state.exchanges.at(-1));
  refreshOptions();
}

// Start

function showInfo({ callback_url: callbackUrl, verification, now: pretended }) {
  byId('callback-url').textContent = callbackUrl ?? '';
  const place = byId('verification');
  place.classList.add(verification?.ok ? 'good' : 'bad');
  place.textContent = verification?.ok ? `通过 · ${duration(verification.micros)}` : (verification?.error ?? '没有通过');
  const time = Date.parse(pretended ?? '');
  if (!Number.isNaN(time)) state.clockOffset = time - Date.now();
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
  try {
    info = await call('/api/info');
    history = await call(`/api/history?user=${encodeURIComponent(info.user)}`);
  } catch (error) {
    showFailureToStart(error);
    return;
  }
  showInfo(info);
  become(info.user, history);
  if (info.verification && !info.verification.ok) {
    const text = `回调地址没有通过验证：${info.verification.error ?? '原因不明'}`;
    messages.append(element('div', { className: 'system' }, element('span', { className: 'undelivered', text })));
  }
}

input.addEventListener('input', fitInput);
input.addEventListener('focus', () => showAttachments(false));
input.addEventListener('keydown', (event) => {
  // Safari ends a composition before the Enter that confirms it; 229 still marks that key.
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
  event.preventDefault();
  sendInput();
});
byId('send').addEventListener('click', sendInput);
byId('voice').addEventListener('click', () => attach('voice'));
byId('attach').addEventListener('click', () => showAttachments(byId('attachments').hidden));
byId('attachments').addEventListener('click', (event) => {
  const chosen = event.target.closest('[data-kind]');
  if (chosen) attach(chosen.dataset.kind);
});
byId('chips').addEventListener('click', (event) => {
  const chip = event.target.closest('.chip');
  if (!chip) return;
  showAttachments(false);
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
byId('jump').addEventListener('click', scrollToEnd);
messages.addEventListener('scroll', updateJump, { passive: true });
new ResizeObserver(updateJump).observe(messages);
isWide.addEventListener('change', arrangeWire);
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing) return;
  if (!byId('attachments').hidden) {
    showAttachments(false);
    byId('attach').focus();
  } else if (!wire.hidden && !isWide.matches) {
    closeWire();
  }
});
document.addEventListener('pointerdown', (event) => {
  const isOutside = !event.target.closest('#attachments, #attach');
  if (isOutside && !byId('attachments').hidden && isWide.matches) showAttachments(false);
});

fitInput();
focusInput();
start();
