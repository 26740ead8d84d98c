// Conveniences only: every page works without this file.

// The phone's menu closes when something else is touched, and with Escape.
const menu = document.querySelector('.menu');
if (menu) {
  document.addEventListener('click', (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !menu.open) return;
    menu.open = false;
    menu.querySelector('summary').focus();
  });
}

// What cannot be taken back is asked about once more.
for (const form of document.querySelectorAll('form[data-confirm]')) {
  form.addEventListener('submit', (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}

// What takes seconds says so.
for (const form of document.querySelectorAll('form[data-wait]')) {
  form.addEventListener('submit', () => {
    const button = form.querySelector('button');
    button.textContent = form.dataset.wait;
    button.disabled = true;
  });
}

// While a file is being written, what is wrong with it and how its answers look is shown beside it.
for (const form of document.querySelectorAll('form[data-live]')) {
  const live = document.querySelector('#live');
  let waiting = 0;
  let latest = 0;
  form.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const number = ++latest;
      const body = new URLSearchParams(new FormData(form));
      const response = await fetch(form.dataset.live, { method: 'POST', body }).catch(() => null);
      if (response?.ok && number === latest) live.innerHTML = await response.text();
    }, 500);
  });
  // A problem leads to its line.
  live.addEventListener('click', (event) => {
    const problem = event.target.closest('[data-line]');
    if (!problem || problem.dataset.file !== form.elements.path.value) return;
    event.preventDefault();
    const text = form.elements.text;
    const lines = text.value.split('\n');
    const start = lines.slice(0, problem.dataset.line - 1).join('\n').length + (problem.dataset.line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(start, start + lines[problem.dataset.line - 1].length);
    text.scrollTop = Math.max(0, (problem.dataset.line - 5) * parseFloat(getComputedStyle(text).lineHeight));
  });
}

// What goes on in the background is looked at again.
if (document.querySelector('[data-refresh]')) setTimeout(() => location.reload(), 1000);

// Values that are to be pasted elsewhere are copied with a button, where the browser lets a page do that.
function showCopying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false;
}
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = button.dataset.copied;
});
showCopying();

// What changes by itself is put into the page as it comes, and said.
const followed = document.querySelector('[data-follow]');
async function follow() {
  const lost = document.querySelector('[data-lost]');
  const response = await fetch(`${followed.dataset.follow}?version=${followed.dataset.version}`).catch(() => null);
  lost.hidden = response !== null;
  if (response?.status === 200) {
    followed.innerHTML = await response.text();
    followed.dataset.version = response.headers.get('X-Version');
    document.querySelector('[data-said]').textContent = followed.querySelector('[data-status]')?.textContent ?? '';
    showCopying();
  }
  if (!response || response.ok) setTimeout(follow, 1000);
}
if (followed) setTimeout(follow, 1000);

// A chosen file is read into the field that would be pasted into.
for (const input of document.querySelectorAll('input[data-into]')) {
  input.closest('.js-only').hidden = false;
  input.addEventListener('change', async () => {
    const [file] = input.files;
    if (!file) return;
    input.form.elements[input.dataset.into].value = await file.text();
    const end = file.name.split('.').pop().toLowerCase();
    const format = input.form.elements.format;
    if ([...format.options].some((option) => option.value === end)) format.value = end;
  });
}
