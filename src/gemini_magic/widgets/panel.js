// What ipywidgets has no word for: Ctrl/Cmd+Enter runs, "Copy" copies, files can be dropped and
// pasted, and Run has the text with it. Without it the panel does the same by its buttons.
(() => {
  if (window.geminiMagicPanel) return;
  window.geminiMagicPanel = true;
  const panelOf = event =>
    event.target instanceof Element ? event.target.closest('.gemini-magic-panel') : null;
  const filesOf = data => (data && data.files.length ? data.files : null);

  // The file input of a FileUpload is not in the page: a click on its button asks for it.
  const give = (panel, files) => {
    const click = HTMLInputElement.prototype.click;
    let input = null;
    HTMLInputElement.prototype.click = function () {
      if (this.type === 'file') input = this;
      else click.call(this);
    };
    try {
      panel.querySelector('.gemini-magic-upload')?.click();
    } finally {
      HTMLInputElement.prototype.click = click;
    }
    if (!input) return;
    input.files = files;
    input.dispatchEvent(new Event('change'));
  };

  const listen = (name, act) => document.addEventListener(name, act, true);

  listen('keydown', event => {
    const panel = event.key === 'Enter' && (event.ctrlKey || event.metaKey) && panelOf(event);
    if (!panel) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const field = event.target;
    field.dispatchEvent(new Event('change', { bubbles: true }));
    panel.querySelector('.gemini-magic-run:not(:disabled)')?.click();
  });

  // A front end may hold back what is typed, but not a click: what is to be asked goes with it.
  listen('click', event => {
    const panel = panelOf(event);
    const text = panel?.querySelector('.gemini-magic-prompt textarea');
    const sent = panel?.querySelector('.gemini-magic-sent textarea');
    if (!text || !sent || !event.target.closest('.gemini-magic-run')) return;
    event.stopImmediatePropagation();
    sent.value = `${Date.now()}\n${text.value}`;
    sent.dispatchEvent(new Event('change', { bubbles: true }));
  });

  listen('click', event => {
    const button = panelOf(event) && event.target.closest('.gemini-magic-copy, [title^="go to the text"]');
    const text = button?.parentElement?.parentElement?.querySelector('textarea');
    if (!text || !navigator.clipboard) return; // the kernel puts the focus on the text
    event.stopImmediatePropagation();
    navigator.clipboard.writeText(text.value).then(
      () => {
        const was = button.textContent;
        button.textContent = 'Copied';
        setTimeout(() => { button.textContent = was; }, 1500);
      },
      () => { text.focus(); text.select(); }
    );
  });

  // The handle of a slider has no name of its own.
  listen('focusin', event => {
    const control = panelOf(event) && event.target.closest('.noUi-handle') &&
      event.target.closest('.gemini-magic-control');
    const name = control?.querySelector('label')?.textContent;
    if (name) event.target.setAttribute('aria-label', name);
  });

  listen('paste', event => {
    const panel = panelOf(event);
    const files = filesOf(event.clipboardData);
    if (!panel || !files) return;
    event.preventDefault();
    give(panel, files);
  });

  const over = (event, on) => {
    const panel = panelOf(event);
    if (!panel || !event.dataTransfer?.types.includes('Files')) return null;
    event.preventDefault();
    event.stopImmediatePropagation();
    panel.classList.toggle('gemini-magic-drop', on);
    return panel;
  };
  listen('dragover', event => { over(event, true); });
  listen('dragleave', event => { over(event, false); });
  listen('drop', event => {
    const panel = over(event, false);
    const files = panel && filesOf(event.dataTransfer);
    if (files) give(panel, files);
  });
})();
