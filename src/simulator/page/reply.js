import { element } from './dom.js';

/** What the bot says, as elements: titles, steps, labels, and options as buttons where they can be chosen. */

export function isOption(line) {
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
export function renderReply(text, optionButton) {
  const parts = [];
  const options = [];
  let group = null;
  text.split('\n').forEach((line, index, lines) => {
    const option = optionButton && isOption(line);
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
