// What ipywidgets has no word for: Ctrl/Cmd+Enter runs, "Copy" copies, files can be dropped and
// pasted, and Run has the text with it. Without it the panel does the same by its buttons. And the
// way to the notebook's cells: where the Lab extension is there (its panel.ts), it hears events.
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

  // --- the notebook's cells ---

  // What the Lab extension says to that; null where nobody does.
  const ask = (panel, name, detail = {}) => {
    const event = new CustomEvent(`gemini-magic:${name}`, { detail, bubbles: true, cancelable: true });
    return panel.dispatchEvent(event) ? null : event.detail;
  };

  // Which cell is selected, shown beside the button that loads it.
  const look = panel => {
    const found = ask(panel, 'selected');
    panel.classList.toggle('gemini-magic-by-lab', found !== null);
    const text = found?.source ?? '';
    const line = panel.querySelector('.gemini-magic-selected');
    const button = panel.querySelector('.gemini-magic-load');
    if (line && button) {
      const words = text.slice(text.search(/^%%/m)).split(/\s+/).join(' ').slice(0, 60);
      line.textContent = text ? words : 'no prompt was selected yet';
      button.disabled = !text;
    }
    return found;
  };

  const tell = (panel, message) => {
    const field = panel.querySelector('.gemini-magic-told textarea');
    const { value } = panel.querySelector('.gemini-magic-prompt textarea');
    field.value = JSON.stringify({ ...message, text: value });
    field.dispatchEvent(new Event('change', { bubbles: true }));
  };

  // The kernel knows what a cell is to hold, and this page has it put there.
  const waiting = new WeakMap();
  const wait = (panel, id) => {
    waiting.get(panel)?.disconnect();
    const place = panel.querySelector('.gemini-magic-wish');
    const watch = new MutationObserver(() => {
      const wish = JSON.parse(place.textContent.trim() || 'null');
      if (wish?.id !== id) return;
      watch.disconnect();
      const { does, what, source, cell } = wish;
      tell(panel, { id, does, done: ask(panel, what, { source, cell }) !== null });
      look(panel);
    });
    watch.observe(place, { childList: true, subtree: true, characterData: true });
    waiting.set(panel, watch);
  };

  listen('click', event => {
    const panel = panelOf(event);
    const button = panel && event.target.closest('.gemini-magic-insert, .gemini-magic-load, .gemini-magic-back');
    const found = button && look(panel);
    if (!found) return; // the kernel does it its own way
    event.stopImmediatePropagation();
    const id = `${Date.now()}-${Math.random()}`;
    if (button.matches('.gemini-magic-load')) {
      if (found.source) tell(panel, { id, does: 'load', ...found });
      return;
    }
    wait(panel, id);
    tell(panel, { id, does: button.matches('.gemini-magic-back') ? 'back' : 'insert' });
  });

  // Whoever comes to the panel may have been at another cell.
  for (const name of ['focusin', 'pointerover']) {
    listen(name, event => {
      const panel = panelOf(event);
      if (panel && !panel.contains(event.relatedTarget) && panel.querySelector('.gemini-magic-selected')) look(panel);
    });
  }
  // What is opened begins its animation: first the part of the panel, then what it shows of a cell.
  listen('animationstart', event => {
    if (event.animationName === 'gemini-magic-shown') look(panelOf(event));
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
