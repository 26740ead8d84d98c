import { button, element, icon } from './dom.js';
import { renderReply } from './reply.js';

export const KIND_NAMES = { image: '图片', voice: '语音', video: '视频', file: '文件', location: '位置', link: '链接' };
export const KIND_ICONS = { image: 'image', voice: 'sound', video: 'play', file: 'link', location: 'location', link: 'link' };

const SERVICER_NAMES = { zhangsan: '张三' };

export const servicerName = (userid) => SERVICER_NAMES[userid] ?? userid;

/** Bubble content for something that cannot be read. */
export function attachmentContent(kind) {
  return [icon(KIND_ICONS[kind]), element('span', { text: kind === 'voice' ? '3″' : KIND_NAMES[kind] })];
}

/** A menu as WeChat shows it: words, a line to tap for each entry, words. */
function menuContent({ head_content: head, list = [], tail_content: tail }, onTap) {
  const lines = list.map(({ type, ...bodies }) => {
    const { id, content } = bodies[type] ?? {};
    if (type !== 'click' || !onTap) return element('div', { className: type === 'text' ? '' : 'menu-line', text: content ?? '' });
    return button({ className: 'menu-line', testId: 'menu-item', text: content }, () => onTap(id ?? content));
  });
  return [
    head && renderReply(head).content,
    lines.length > 0 && element('div', { className: 'menu-lines', role: 'group', 'aria-label': '菜单' }, ...lines),
    tail && element('div', { className: 'reply-hint', text: tail }),
  ].filter(Boolean);
}

function contentOf({ kind, sender, text, body, recalled }, onTap) {
  if (recalled) return [element('span', { className: 'reply-hint', text: '（已撤回）' })];
  if (kind === 'msgmenu') return menuContent(body, onTap);
  if (KIND_NAMES[kind]) return attachmentContent(kind);
  if (sender === 'bot') return [renderReply(text).content];
  return [document.createTextNode(text)];
}

/**
 * One message of 微信客服 as a row. `mine` are the senders whose bubbles stand on the right; `onTap` is for whoever may tap menus.
 */
export function messageRow(message, { mine, customerName, onTap, testIds }) {
  const { sender, kind, servicer } = message;
  const isMine = mine.includes(sender);
  const names = { myself: customerName, bot: '机器人', servicer: servicerName(servicer ?? '') };
  const isAttachment = kind !== 'msgmenu' && KIND_NAMES[kind] && !message.recalled;
  const shape = isAttachment ? `bubble-attachment bubble-${kind}` : '';
  const bubble = element(
    'div',
    { className: `bubble ${isMine ? 'bubble-user' : 'bubble-bot'} bubble-from-${sender} ${shape}`, testId: testIds[sender] },
    ...contentOf(message, onTap),
  );
  if (isAttachment) {
    bubble.setAttribute('role', 'img');
    bubble.setAttribute('aria-label', KIND_NAMES[kind]);
  }
  const face = sender === 'bot' ? icon('unlock') : element('span', { text: names[sender].slice(0, 1) });
  const avatar = element('span', { className: `avatar avatar-${sender}`, 'aria-hidden': 'true' }, face);
  // Who writes on one's own phone need not be told.
  const isNamed = sender !== 'myself';
  const name = isNamed && element('span', { className: `sender sender-${sender}`, text: sender === 'servicer' ? `${names.servicer} · 同事` : names.bot });
  return element(
    'div',
    { className: `row ${isMine ? 'row-user' : 'row-bot'}` },
    avatar,
    element('div', { className: 'column' }, name, element('div', { className: 'bubble-line' }, bubble)),
  );
}
