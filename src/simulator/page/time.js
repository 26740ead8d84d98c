// Two clocks are shown as one: messages are dated by the platform's, answers count from the conversation's. Both are moved together, so
// what lies between them stays the same.

const ZONE = 'Asia/Shanghai';
const SEPARATE_AFTER_MS = 5 * 60 * 1000;

const timeFormat = new Intl.DateTimeFormat('zh-CN', { timeZone: ZONE, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dayFormat = new Intl.DateTimeFormat('zh-CN', { timeZone: ZONE, month: 'long', day: 'numeric' });
const weekdayFormat = new Intl.DateTimeFormat('zh-CN', { timeZone: ZONE, weekday: 'short' });
const shortDayFormat = new Intl.DateTimeFormat('zh-CN', { timeZone: ZONE, month: 'numeric', day: 'numeric' });

let sinceReal = 0;
let sincePlatform = 0;

/** Takes over what the server says of its clocks. */
export function setClocks({ platform, conversation }) {
  sinceReal = conversation - Date.now();
  sincePlatform = conversation - platform;
}

/** The time in the conversation. */
export const now = () => Date.now() + sinceReal;

/** The time in the conversation at a time of the platform. */
export const shown = (platformTime) => platformTime + sincePlatform;

export const timeOfDay = (time) => timeFormat.format(time);

export const dayAndTime = (time) => `${dayFormat.format(time)} ${weekdayFormat.format(time)} ${timeOfDay(time)}`;

export const shortDayAndTime = (time) => `${shortDayFormat.format(time)} ${timeOfDay(time)}`;

/** What stands between two messages: nothing, the time, or the day as well. */
export function separation(time, previous) {
  if (time - previous < SEPARATE_AFTER_MS) return '';
  const isSameDay = previous > 0 && dayFormat.format(time) === dayFormat.format(previous);
  return isSameDay ? timeOfDay(time) : dayAndTime(time);
}
