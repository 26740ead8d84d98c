import { call } from './dom.js';
import { setClocks } from './time.js';

const USUAL_PAUSE_MS = 900;

// After somebody did something, what follows from it comes within moments.
const EAGER_PAUSE_MS = 120;
const EAGER_FOR_MS = 3000;

/** Asks again and again for what is new, and tells it to whoever wants to know. */
export class Live {
  #watchers = [];
  #phones;
  #eagerUntil = 0;
  #timer;
  #isAsking = false;
  #isWantedAgain = false;

  /** `phones` says whose phones are looked at, and up to which message they have been shown. */
  constructor(phones) {
    this.#phones = phones;
    document.addEventListener('visibilitychange', () => document.hidden || this.poke());
  }

  watch(watcher) {
    this.#watchers.push(watcher);
  }

  /** Asks now, and often for a while. */
  poke() {
    this.#eagerUntil = Date.now() + EAGER_FOR_MS;
    this.#isWantedAgain = this.#isAsking;
    if (!this.#isAsking) this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#isAsking = true;
    this.#isWantedAgain = false;
    const phones = this.#phones();
    // When the simulator has stopped, the next message that is sent says so.
    const news = await call(`/api/live?${new URLSearchParams(phones)}`).catch(() => null);
    if (news) {
      setClocks(news.clock);
      this.#watchers.forEach((watcher) => watcher(news, phones));
    }
    this.#isAsking = false;
    if (this.#isWantedAgain) this.#ask();
    else this.#timer = setTimeout(() => this.#ask(), this.#pause());
  }

  #pause() {
    if (Date.now() < this.#eagerUntil) return EAGER_PAUSE_MS;
    return document.hidden ? 5 * USUAL_PAUSE_MS : USUAL_PAUSE_MS;
  }
}
