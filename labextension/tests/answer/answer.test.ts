import '../quota/page';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { IRenderMime } from '@jupyterlab/rendermime';
import { RenderMimeRegistry, standardRendererFactories } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import { beforeEach, describe, expect, it } from 'vitest';
import { answer } from '../../src/answer';
import { MIME, pieces } from '../../src/answer/pieces';

/** Makes a paragraph of each block; HTML stays, as with Lab's own. Can be held up. */
class Parser implements IRenderMime.IMarkdownParser {
  parsed: string[] = [];
  gate: Promise<void> = Promise.resolve();

  async render(source: string): Promise<string> {
    this.parsed.push(source);
    await this.gate;
    if (source.startsWith('bad')) {
      throw new Error('bad');
    }
    const blocks = source.trim().split(/\n\n+/);
    return blocks.map(block => `<p>${block}</p>\n`).join('');
  }
}

const TYPESETTER = {
  seen: [] as string[],
  typeset(node: HTMLElement): void {
    this.seen.push(node.textContent);
    node.innerHTML = node.innerHTML.replace('$a$', '<a href="https://example.org">a</a>');
  }
};

/** 300 characters and a blank line. */
const piece = (name: string): string => name.padEnd(300, ' x') + '\n\n';
const bundle = (...parts: string[]): Record<string, unknown> => ({
  'text/markdown': parts.join(''),
  'text/plain': 'never shown as Markdown',
  [MIME]: { blocks: parts.map(part => part.length) }
});

let parser: Parser;
let registry: RenderMimeRegistry;
let renderer: IRenderMime.IRenderer;

const show = (data: object, trusted = true): Promise<void> =>
  renderer.renderModel(registry.createModel({ data: data as never, trusted }));
const paragraphs = (): Element[] => [...renderer.node.children];
const begins = (): string[] => paragraphs().map(one => one.textContent.split(' ')[0] ?? '');

const plugin = answer[0] as JupyterFrontEndPlugin<void>;

beforeEach(() => {
  parser = new Parser();
  TYPESETTER.seen = [];
  registry = new RenderMimeRegistry({
    initialFactories: standardRendererFactories,
    markdownParser: parser,
    latexTypesetter: TYPESETTER
  });
  void plugin.activate(null as unknown as JupyterFrontEnd, registry);
  renderer = registry.createRenderer(MIME);
});

describe('the pieces of a text', () => {
  const text = 'a'.repeat(1000);

  it('are those that the bundle names', () => {
    expect(pieces(text, { blocks: [400, 599, 1] }).map(one => one.length)).toEqual([400, 599, 1]);
    expect(pieces(text, { blocks: [1000] })).toEqual([text]);
    expect(pieces('🌊'.repeat(300), { blocks: [400, 200] })[1]).toBe('🌊'.repeat(100));
  });

  it.each(
    [
      null,
      undefined,
      7,
      'x',
      [],
      {},
      { blocks: null },
      { blocks: 'x' },
      { blocks: { length: 1 } },
      { blocks: [] },
      { blocks: [999] },
      { blocks: [1001] },
      { blocks: [-500, 1500] },
      { blocks: [1500, -500] },
      { blocks: [500, 0, 500] },
      { blocks: [500.5, 499.5] },
      { blocks: ['500', '500'] },
      { blocks: [NaN, 500] },
      { blocks: [1e308, 1e308] },
      { blocks: [500, null, 500] },
      { blocks: [Infinity] },
      { blocks: new Array(1e6).fill(0) },
      { blocks: new Array(1000).fill(1) },
      { blocks: [500, 500, 500] },
      { blocks: [400, 400] }
    ].map(one => [one])
  )('are one of a bundle that does not fit it, %#', wrong => {
    expect(pieces(text, wrong)).toEqual([text]);
  });

  it('are none of an empty text', () => {
    expect(pieces('', { blocks: [] })).toEqual(['']);
  });
});

describe('a long answer', () => {
  it('is rendered before Markdown, of untrusted notebooks, too', () => {
    expect(registry.preferredMimeType(bundle('a') as never, 'ensure')).toBe(MIME);
    expect(registry.preferredMimeType({ 'text/markdown': 'a' }, 'any')).toBe('text/markdown');
  });

  it('looks like Markdown to styles and to other extensions', async () => {
    await show(bundle(piece('one'), piece('two')));
    expect(renderer.node.className).toContain('jp-RenderedMarkdown');
    expect(renderer.node.dataset['mimeType']).toBe('text/markdown');
    expect(begins()).toEqual(['one', 'two']);
  });

  it('renders of an update only what changed', async () => {
    await show(bundle(piece('one'), piece('two'), 'thr'));
    const [one, two] = paragraphs();
    parser.parsed = [];
    await show(bundle(piece('one'), piece('two'), piece('three'), 'four'));
    expect(begins()).toEqual(['one', 'two', 'three', 'four']);
    expect(paragraphs().slice(0, 2)).toEqual([one, two]);
    expect(parser.parsed.map(source => source.trim().split(' ')[0])).toEqual(['three', 'four']);
    await show(bundle(piece('one'), piece('2'), piece('three'), 'four'));
    expect(begins()).toEqual(['one', '2', 'three', 'four']);
    expect(paragraphs()[0]).toBe(one);
  });

  it('loses what an update takes away', async () => {
    await show(bundle(piece('one'), piece('two'), 'three'));
    await show(bundle(piece('one'), 'two'));
    expect(begins()).toEqual(['one', 'two']);
    await show({ 'text/markdown': '', [MIME]: { blocks: [] } });
    expect(renderer.node.textContent).toBe('');
  });

  it('shows the newest text, whatever was still on its way', async () => {
    let go = (): void => undefined;
    parser.gate = new Promise(done => (go = done));
    const first = show(bundle(piece('old'), piece('two'), piece('three'), 'four'));
    await Promise.resolve();
    const second = show(bundle(piece('older'), 'x'));
    const third = show(bundle(piece('new'), piece('two'), 'last'));
    go();
    await Promise.all([first, second, third]);
    expect(begins()).toEqual(['new', 'two', 'last']);
    expect(parser.parsed.map(source => source.trim().split(' ')[0])).not.toContain('older');
  });

  it('is whole if its pieces do not fit', async () => {
    await show({ ...bundle(piece('one'), piece('two')), [MIME]: { blocks: [300, 5] } });
    expect(parser.parsed).toHaveLength(1);
    expect(begins()).toEqual(['one', 'two']);
  });

  it('shows nothing where there is no Markdown', async () => {
    await show({ 'text/plain': '<b>x</b>', [MIME]: { blocks: [1] } });
    expect(renderer.node.textContent).toBe('');
  });

  it('is sanitised where it is not trusted, and again as trust changes', async () => {
    const hostile = piece('<img src="x" onerror="alert(1)"><script>alert(1)</script>');
    const data = bundle(piece('one'), hostile, hostile);
    await show(data, false);
    expect(renderer.node.innerHTML).not.toMatch(/onerror|<script/);
    await show(data, true);
    expect(renderer.node.innerHTML).toMatch(/onerror/);
    await show(data, false);
    expect(renderer.node.innerHTML).not.toMatch(/onerror|<script/);
  });

  it('gets its formulas once it is in a page', async () => {
    await show(bundle(piece('one'), piece('two $a$'), 'three $a$\n\nfour'));
    expect(TYPESETTER.seen).toEqual([]);
    const parsed = parser.parsed.length;
    Widget.attach(renderer, document.body);
    await expect.poll(() => TYPESETTER.seen.length).toBe(2);
    expect(parser.parsed).toHaveLength(parsed);
    await show(bundle(piece('one'), piece('two $a$'), 'three $a$\n\nfour $a$'));
    expect(TYPESETTER.seen.map(text => text.split(' ')[0])).toEqual([
      'two',
      'three',
      'three',
      'four'
    ]);
    const link = renderer.node.querySelector('a');
    await expect.poll(() => link?.target).toBe('_blank');
    expect(link?.rel).toBe('noopener');
    renderer.dispose();
  });

  it('shows the rest if a piece cannot be rendered', async () => {
    await show(bundle(piece('one'), piece('two'), 'three'));
    const failing = show(bundle(piece('one'), piece('bad'), piece('three'), 'four'));
    await expect(failing).rejects.toThrow('bad');
    expect(begins()).toEqual(['one', 'three', 'four']);
    await show(bundle(piece('one'), piece('good'), piece('three'), 'four'));
    expect(begins()).toEqual(['one', 'good', 'three', 'four']);
  });

  it('may be closed while it is rendered', async () => {
    let go = (): void => undefined;
    parser.gate = new Promise(done => (go = done));
    const rendering = show(bundle(piece('one'), piece('two'), 'three'));
    await Promise.resolve();
    renderer.dispose();
    go();
    await rendering;
    expect(parser.parsed).toHaveLength(1);
  });
});
