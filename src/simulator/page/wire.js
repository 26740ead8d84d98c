import { button, byId, element } from './dom.js';
import { isOption } from './reply.js';

/** What went over the wire for one message, and how the bot decided. */

const DECISION_NAMES = { answer: '直接回答', ask_back: '反问', refuse: '不归我管', smalltalk: '寒暄', human: '转人工' };
const CLASS_KIND_NAMES = { outside: '不归我管的问题', smalltalk: '寒暄', human: '转人工' };
const VIEW_NAMES = { characters: '字', letters: '字', sounds: '音', words: '词' };
const LANGUAGE_NAMES = { zh: '中文', en: '英文', chinese: '中文', english: '英文' };
const QUERY_NAMES = { msg_signature: '签名', timestamp: '时间', nonce: '随机数', echostr: '验证串' };

const wire = byId('wire');

// Scenario ids are all the server names; what they are called is learnt from what the bot says.
const scenarioNames = new Map();

export function learnNames({ reply, decision }) {
  const scenarios = decision?.scenarios ?? [];
  if (!reply) return;
  const lines = reply.split('\n');
  const title = /^【([^】]*\D[^】]*)】$/.exec(lines[0]);
  if (decision?.decision === 'answer' && title && scenarios.length === 1) {
    scenarioNames.set(scenarios[0], title[1]);
    return;
  }
  const labels = lines.map(isOption).filter(Boolean).map((option) => option[2]);
  if (decision?.decision === 'ask_back' && !title && labels.length === scenarios.length) {
    scenarios.forEach((id, index) => {
      if (!scenarioNames.has(id)) scenarioNames.set(id, labels[index]);
    });
  }
}

export function duration(micros) {
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
  const known = scenarioNames.get(id);
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
export function clipLongBlocks() {
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

/** Shows the steps of one delivered message. */
export function fillWire(answer) {
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
