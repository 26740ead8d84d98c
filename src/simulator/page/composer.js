/** Where a message is written: grows with the text, sends with Enter, and opens the attachments where there are any. */
export class Composer {
  #box;
  #input;
  #send;
  #more;
  #attachments;
  #isWide = matchMedia('(min-width: 1100px)');

  constructor({ box, input, send, more, attachments, onText, onAttachment, onOpen = () => {} }) {
    Object.assign(this, { onText, onOpen });
    this.#box = box;
    this.#input = input;
    this.#send = send;
    this.#more = more;
    this.#attachments = attachments;
    input.addEventListener('input', () => this.#fit());
    input.addEventListener('focus', () => this.showAttachments(false));
    input.addEventListener('keydown', (event) => {
      // Safari ends a composition before the Enter that confirms it; 229 still marks that key.
      const isComposing = event.isComposing || event.keyCode === 229;
      if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
      event.preventDefault();
      this.#sendText();
    });
    send.addEventListener('click', () => this.#sendText());
    if (attachments) this.#connectAttachments(onAttachment);
    this.#fit();
  }

  showAttachments(isShown) {
    if (!this.#attachments || this.#attachments.hidden === !isShown) return;
    if (isShown) this.onOpen();
    this.#attachments.hidden = !isShown;
    this.#more.setAttribute('aria-expanded', String(isShown));
  }

  #connectAttachments(onAttachment) {
    this.#more.addEventListener('click', () => this.showAttachments(this.#attachments.hidden));
    this.#attachments.addEventListener('click', (event) => {
      const chosen = event.target.closest('[data-kind]');
      if (!chosen) return;
      this.showAttachments(false);
      onAttachment(chosen.dataset.kind);
    });
    document.addEventListener('pointerdown', (event) => {
      const isInside = this.#attachments.contains(event.target) || this.#more.contains(event.target);
      if (!isInside && this.#isWide.matches) this.showAttachments(false);
    });
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing || this.#attachments.hidden) return;
      this.showAttachments(false);
      this.#more.focus();
    });
  }

  #sendText() {
    const text = this.#input.value.trim();
    if (!text) return;
    this.#input.value = '';
    this.#fit();
    this.showAttachments(false);
    this.onText(text);
    this.#input.focus({ preventScroll: true });
  }

  #fit() {
    const isFilled = this.#input.value.trim() !== '';
    this.#send.disabled = !isFilled;
    this.#box.classList.toggle('composer-filled', isFilled);
    this.#input.style.height = 'auto';
    // Hidden with its pane, it has no height to go by.
    const height = this.#input.scrollHeight;
    this.#input.style.height = height ? `${Math.min(height + 2, 132)}px` : '';
  }
}
