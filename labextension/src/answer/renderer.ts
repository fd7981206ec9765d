/** Renders a long answer piece by piece, so that the page stays responsive while it comes. */

import { RenderedMarkdown, renderMarkdown } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime';
import { MIME, pieces } from './pieces';

/**
 * Characters after which the page may do something else before the next piece. It is more than a
 * text has when it becomes a long one, so that it does not shrink before the reader's eyes then.
 */
const TURN = 6_000;

/** Where one of these is, there may be a formula. */
const MATH = /[$\\]/;

/** A piece in the page: `typeset` is false as long as formulas in it are TeX. */
interface IShown {
  source: string;
  trusted: boolean;
  typeset: boolean;
  nodes: ChildNode[];
}

/**
 * As Lab's own renderer of Markdown, with its parser, sanitizer and typesetter, and the same
 * elements in the page; but of an update only those pieces are rendered that it changes. One is
 * rendered at a time, always for the newest model, so that no rendering overtakes another.
 */
export class RenderedAnswer extends RenderedMarkdown {
  constructor(options: IRenderMime.IRendererOptions) {
    super({ ...options, mimeType: 'text/markdown' }); // what styles and other extensions look for
  }

  override render(model: IRenderMime.IMimeModel): Promise<void> {
    const text = model.data[this.mimeType];
    this._pieces = pieces(typeof text === 'string' ? text : '', model.data[MIME]);
    this._trusted = model.trusted;
    return this._catchUp();
  }

  override onAfterAttach(): void {
    this._catchUp().catch(console.warn);
  }

  override dispose(): void {
    this._pieces = [];
    super.dispose();
  }

  private _catchUp(): Promise<void> {
    return (this._running ??= this._run());
  }

  private async _run(): Promise<void> {
    await Promise.resolve(); // until `_running` is set, and the widget is in the page
    let rendered = 0;
    const failed: unknown[] = [];
    for (let next = this._next(); next !== null; next = this._next()) {
      await this._show(next).catch((error: unknown) => failed.push(error));
      rendered += this._pieces[next]?.length ?? 0;
      // The last one is not kept back: until now the piece before it showed what it has.
      if (rendered > TURN && next < this._pieces.length - 2) {
        await pause();
        rendered = 0;
      }
    }
    this._running = null;
    if (failed.length > 0) {
      throw failed[0];
    }
  }

  /** The first piece that is not as it should be; null if there is none. */
  private _next(): number | null {
    for (const [index, source] of this._pieces.entries()) {
      const shown = this._shown[index];
      const same = shown?.source === source && shown.trusted === this._trusted;
      if (!same || (this.isAttached && !shown.typeset)) {
        return index;
      }
    }
    for (const { nodes } of this._shown.splice(this._pieces.length)) {
      remove(nodes);
    }
    return null;
  }

  private async _show(index: number): Promise<void> {
    const source = this._pieces[index] ?? '';
    const trusted = this._trusted;
    let shown = this._shown[index];
    if (shown?.source !== source || shown.trusted !== trusted) {
      const old = shown?.nodes ?? [];
      shown = { source, trusted, typeset: !MATH.test(source), nodes: old };
      this._shown[index] = shown;
      const host = document.createElement('div');
      try {
        await this._render(host, source, trusted);
      } finally {
        shown.nodes = [...host.childNodes];
        const fragment = new DocumentFragment();
        fragment.append(...shown.nodes);
        this.node.insertBefore(fragment, this._following(index, old));
        remove(old);
      }
    }
    // Only in a page have formulas a size.
    if (this.isAttached && !shown.typeset) {
      shown.typeset = true;
      for (const node of shown.nodes) {
        this._typeset(node);
      }
    }
  }

  private _render(host: HTMLElement, source: string, trusted: boolean): Promise<void> {
    const { resolver, sanitizer, linkHandler, latexTypesetter, markdownParser, translator } = this;
    return renderMarkdown({
      host,
      source,
      trusted,
      resolver,
      sanitizer,
      linkHandler,
      shouldTypeset: false,
      latexTypesetter,
      markdownParser,
      translator
    });
  }

  /** The node before which a piece belongs: the first one of its own, or of the pieces after it. */
  private _following(index: number, own: ChildNode[]): ChildNode | null {
    const after = this._shown.slice(index + 1).flatMap(({ nodes }) => nodes);
    return [...own, ...after].find(node => node.parentNode === this.node) ?? null;
  }

  /** Formulas in their final form; a link in one opens no page that could reach this one. */
  private _typeset(node: ChildNode): void {
    if (!(node instanceof HTMLElement) || !MATH.test(node.textContent)) {
      return;
    }
    Promise.resolve(this.latexTypesetter?.typeset(node))
      .then(() => {
        for (const link of node.querySelectorAll<HTMLAnchorElement>('a:not([target])')) {
          link.target = '_blank';
          link.rel = 'noopener';
        }
      })
      .catch(console.warn);
  }

  private _pieces: string[] = [];
  private _trusted = false;
  private _shown: IShown[] = [];
  private _running: Promise<void> | null = null;
}

function remove(nodes: ChildNode[]): void {
  for (const node of nodes) {
    node.remove();
  }
}

/** Lets the page do what it has to; other than a timer, this is soon over in a hidden page, too. */
function pause(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise(done => {
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(null);
  });
}
