/** What a page has and jsdom lacks; imported before anything of JupyterLab's. */

class Nothing {
  observe(): void {
    // Nothing is ever resized here, or comes into sight.
  }
  disconnect(): void {
    // Nothing was observed.
  }
}

Object.assign(globalThis, {
  DragEvent: class extends MouseEvent {},
  IntersectionObserver: Nothing,
  ResizeObserver: Nothing,
  matchMedia: () => ({ matches: false, addListener: () => undefined }),
  requestIdleCallback: (work: () => void) => setTimeout(work, 0)
});
Element.prototype.scrollIntoView = (): void => undefined;
