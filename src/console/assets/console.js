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
