import { button, element } from './dom.js';

/** A card of the app with its buttons; once one is pressed, the app says what stands in their place. */
export function renderCard(card, onPress) {
  const { main_title: { title, desc } = {}, sub_title_text: details, horizontal_content_list: lines = [] } = card;
  const buttons = card.replace_text
    ? [element('span', { className: 'card-chosen', testId: 'card-chosen', text: card.replace_text })]
    : (card.button_list ?? []).map(({ text, key }) =>
        button({ className: 'card-button', text, testId: 'card-button' }, (event) => {
          for (const other of event.currentTarget.parentElement.children) other.disabled = true;
          onPress(key, text);
        }),
      );
  return [
    element('div', { className: 'reply-title', text: title ?? '' }),
    desc && element('div', { className: 'card-detail', text: desc }),
    details && element('div', { className: 'card-detail', text: details }),
    ...lines.map(({ keyname, value }) => element('div', { className: 'card-detail', text: `${keyname}：${value ?? ''}` })),
    element('div', { className: 'card-buttons', role: 'group', 'aria-label': '按钮' }, ...buttons),
  ].filter(Boolean);
}
