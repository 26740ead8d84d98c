export const byId = (id) => document.getElementById(id);

export function element(tag, { className, text, testId, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (testId) made.dataset.testid = testId;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter(Boolean));
  return made;
}

export function button(properties, onClick, ...children) {
  const made = element('button', { type: 'button', ...properties }, ...children);
  made.addEventListener('click', onClick);
  return made;
}

export function icon(name) {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  const use = document.createElementNS(namespace, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

// Server

export async function call(path, body) {
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

const prefersStillness = matchMedia('(prefers-reduced-motion: reduce)');

export const scrollBehavior = () => (prefersStillness.matches ? 'instant' : 'smooth');

const isFinePointer = matchMedia('(pointer: fine)');

/** Where there is a keyboard anyway; on a phone the screen keyboard would cover the answer. */
export function focusGently(field) {
  if (isFinePointer.matches) field.focus({ preventScroll: true });
}
