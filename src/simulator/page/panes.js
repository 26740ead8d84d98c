import { byId } from './dom.js';

const NAMES = ['member', 'wechat', 'desk'];

/** The phones and the desk: side by side where there is room, otherwise one at a time behind tabs that say where something happened. */
export class Panes {
  #isWide = matchMedia('(min-width: 1100px)');
  #shown = 'member';
  #unread = new Map();

  constructor({ onShow }) {
    this.onShow = onShow;
    for (const name of NAMES) byId(`tab-${name}`).addEventListener('click', () => this.show(name));
    this.#arrange('member');
  }

  show(name) {
    this.#arrange(name);
    this.onShow(name);
  }

  #arrange(name) {
    this.#shown = name;
    document.body.dataset.pane = name;
    for (const other of NAMES) byId(`tab-${other}`).setAttribute('aria-pressed', String(other === name));
    this.#mark(name, 0);
  }

  isInView(name) {
    return this.#isWide.matches || this.#shown === name;
  }

  /** Something happened in a pane that may be out of view. */
  tell(name) {
    if (!this.isInView(name)) this.#mark(name, (this.#unread.get(name) ?? 0) + 1);
  }

  #mark(name, count) {
    this.#unread.set(name, count);
    const badge = byId(`badge-${name}`);
    badge.hidden = count === 0;
    badge.textContent = count > 9 ? '9+' : String(count);
  }
}
