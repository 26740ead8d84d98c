import { byId, call } from './dom.js';
import { dayAndTime, now, shortDayAndTime } from './time.js';

const DAY_S = 24 * 60 * 60;

/** The simulated time, and buttons that put it forward for the bot and the platform together. */
export class Clock {
  #moves = byId('clock-moves');
  #toggle = byId('clock-toggle');
  #known = {};

  constructor({ live, onMoved }) {
    Object.assign(this, { live, onMoved });
    byId('clock-day').addEventListener('click', () => this.#advance(DAY_S));
    byId('clock-business-days').addEventListener('click', () => this.#advanceTo(this.#known.third_business_day));
    byId('clock-reminder').addEventListener('click', () => this.#advanceTo(this.#known.next_reminder));
    this.#toggle.addEventListener('click', () => this.#open(!this.#isOpen));
    document.addEventListener('pointerdown', (event) => {
      if (!event.target.closest('#clock')) this.#open(false);
    });
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#isOpen) return;
      this.#open(false);
      this.#toggle.focus();
    });
    live.watch(({ clock }) => this.#show(clock));
    setInterval(() => this.#showTime(), 1000);
  }

  get #isOpen() {
    return this.#moves.classList.contains('clock-moves-open');
  }

  #open(isOpen) {
    this.#moves.classList.toggle('clock-moves-open', isOpen);
    this.#toggle.setAttribute('aria-expanded', String(isOpen));
  }

  #show(clock) {
    this.#known = clock;
    const { next_reminder: reminder, third_business_day: businessDay } = clock;
    const businessDays = byId('clock-business-days');
    businessDays.hidden = businessDay === null;
    businessDays.title = businessDay === null ? '' : `拨到 ${dayAndTime(businessDay)}`;
    const toReminder = byId('clock-reminder');
    // A bot elsewhere has its own clock and tells nothing of it.
    const isElsewhere = reminder === null && businessDay === null;
    toReminder.hidden = isElsewhere;
    if (isElsewhere) byId('clock-note').textContent = '拨快的只是平台的时钟。机器人在别处运行，有自己的时钟。';
    toReminder.disabled = reminder === null;
    toReminder.title = reminder === null ? '还没有记下的申诉：先说“我今天提交了申诉”，再回“好”' : `拨到 ${dayAndTime(reminder)}`;
    byId('clock-reminder-when').textContent = reminder === null ? '' : shortDayAndTime(reminder);
    this.#showTime();
  }

  #showTime() {
    if (!this.#known.conversation) return;
    byId('clock-time').textContent = dayAndTime(now());
    byId('clock-short-time').textContent = shortDayAndTime(now());
  }

  #advanceTo(time) {
    // A second more, so that what is due then is due.
    return this.#advance(Math.max(1, Math.ceil((time - now()) / 1000) + 1));
  }

  async #advance(seconds) {
    this.#open(false);
    try {
      await call('/control/clock', { advance_seconds: seconds });
    } catch (error) {
      byId('clock-time').textContent = error.message;
      return;
    }
    this.live.poke();
    this.onMoved();
  }
}
