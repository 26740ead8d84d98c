import { element, scrollBehavior } from './dom.js';
import { separation } from './time.js';

/** The messages of one conversation: what is appended stays in view, and a button leads back to the end. */
export class Log {
  #messages;
  #jump;
  #pane;
  #lastSeparator = 0;
  // Whoever read the newest message still sees it when the log becomes narrower or lower.
  #staysAtEnd = true;
  #size = '';

  constructor({ messages, jump, pane }) {
    this.#messages = messages;
    this.#jump = jump;
    this.#pane = pane;
    jump.addEventListener('click', () => this.scrollToEnd());
    messages.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(messages);
  }

  /** Begins anew. */
  clear(...rows) {
    this.#lastSeparator = 0;
    this.#messages.replaceChildren(...rows);
    this.updateJump();
  }

  separateByTime(time) {
    const text = separation(time, this.#lastSeparator);
    if (!text) return;
    this.#lastSeparator = time;
    this.#messages.append(element('div', { className: 'separator' }, element('time', { text })));
  }

  append(row) {
    row.classList.add('appear');
    const typing = this.#messages.querySelector('.row-typing');
    if (typing) typing.before(row);
    else this.#messages.append(row);
  }

  /** Shows the newest row; of one taller than the log its beginning, so that an answer is read from its title on. */
  reveal(row) {
    const space = this.#messages.clientHeight - 24;
    const previous = row.previousElementSibling;
    if (row.offsetHeight <= space) return this.scrollToEnd();
    const questionFits = previous?.classList.contains('row-user') && previous.offsetHeight < space / 4;
    const first = questionFits ? previous : row;
    return this.#scrollTo(first.offsetTop - this.#messages.offsetTop - 10);
  }

  scrollToEnd() {
    this.#scrollTo(this.#messages.scrollHeight);
  }

  get isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#messages;
    return scrollHeight - scrollTop - clientHeight < 60;
  }

  updateJump() {
    this.#jump.hidden = this.isAtEnd;
    const { offsetTop, clientHeight } = this.#messages;
    this.#jump.style.bottom = `${this.#pane.clientHeight - offsetTop - clientHeight + 12}px`;
  }

  #measured() {
    return `${this.#messages.clientWidth} × ${this.#messages.clientHeight}`;
  }

  #scrolled() {
    // A new size scrolls by itself, before it is told as one.
    if (this.#size === this.#measured()) this.#staysAtEnd = this.isAtEnd;
    this.updateJump();
  }

  #resized() {
    this.#size = this.#measured();
    if (this.#staysAtEnd) this.#messages.scrollTo({ top: this.#messages.scrollHeight, behavior: 'instant' });
    this.updateJump();
  }

  #scrollTo(top) {
    this.#messages.scrollTo({ top, behavior: scrollBehavior() });
  }
}
