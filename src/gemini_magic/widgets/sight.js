// Tells the kernel whether what is live there can be seen here (see sight.py): once it is scrolled
// out of sight, its document is put behind another one, or the page itself is hidden.
(() => {
  const begin = () => {
    const page = Math.random().toString(36).slice(2);
    const boxes = new Map(); // what is live, and whether it is in sight; undefined: not known yet
    const told = new Map(); // by name: several boxes may show the same
    const nameOf = box => box.className.match(/gemini-magic-live-\w+/)[0];

    const tell = () => {
      const seen = new Set();
      for (const [box, inSight] of boxes) {
        if (inSight && !document.hidden) seen.add(nameOf(box));
      }
      for (const [box, inSight] of boxes) {
        const name = nameOf(box);
        const now = seen.has(name) ? 'seen' : 'hidden';
        const field = box.querySelector('.gemini-magic-sight textarea');
        if (field && inSight !== undefined && told.get(name) !== now) {
          told.set(name, now);
          field.value = `${page} ${now}`;
          field.dispatchEvent(new Event('change', { bubbles: true }));
        }
        if (!box.isConnected) {
          observer.unobserve(box);
          boxes.delete(box);
          told.delete(name);
        }
      }
    };

    const observer = new IntersectionObserver(entries => {
      for (const { target, isIntersecting } of entries) {
        if (boxes.has(target)) boxes.set(target, isIntersecting);
      }
      tell();
    });
    const watch = node => {
      const box = node.closest('[class*="gemini-magic-live-"]');
      if (!box || boxes.has(box)) return;
      boxes.set(box, undefined);
      observer.observe(box);
    };

    document.addEventListener('visibilitychange', tell);
    // A view that comes back into the page, as cells do that a front end takes out of it, runs no
    // script, but begins its animations anew.
    document.addEventListener('animationstart', event => {
      if (event.animationName === 'gemini-magic-here') watch(event.target);
    }, true);
    const style = document.createElement('style');
    style.textContent =
      '@keyframes gemini-magic-here { from { outline-color: transparent } }' +
      '.gemini-magic-sight { animation: gemini-magic-here 1ms }';
    document.head.append(style);
    return watch;
  };
  const here = document.currentScript;
  window.geminiMagicSight ??= begin();
  if (here) window.geminiMagicSight(here);
})();
