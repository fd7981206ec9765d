import { history, redo, undo } from '@codemirror/commands';
import { python } from '@codemirror/lang-python';
import { language } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { afterEach, describe, expect, it } from 'vitest';
import { Magics } from '../../src/editor/head';
import { filledParts, Highlighter } from '../../src/editor/highlight';
import { OptionTable } from '../../src/editor/options';
import { loaded, server } from './table';

/** Lab's registry with Python alone, which is loaded with its first use. */
function registry(): IEditorLanguageRegistry {
  const known: { support?: unknown } = {};
  return {
    findByName: (name: string) => (name === 'python' ? known : null),
    getLanguage: () => {
      known.support = python();
      return Promise.resolve(known);
    }
  } as unknown as IEditorLanguageRegistry;
}

const views: EditorView[] = [];

afterEach(() => {
  views.splice(0).forEach(view => {
    view.destroy();
  });
});

/** An editor as Lab makes one: Python by the cell's type, and our extension. */
function editor(doc: string, highlighter: Highlighter): EditorView {
  const view = new EditorView({
    doc,
    extensions: [history({ newGroupDelay: 0 }), python(), highlighter.extension(doc)],
    parent: document.body
  });
  views.push(view);
  return view;
}

function spoken(view: EditorView): string | undefined {
  return view.state.facet(language)?.name;
}

function replace(view: EditorView, from: number, to: number, insert = ''): void {
  view.dispatch({ changes: { from, to, insert }, userEvent: 'input.type' });
}

function marked(view: EditorView, name: string): string[] {
  return [...view.dom.querySelectorAll(`.jp-gemini-${name}`)].map(node => node.textContent);
}

describe('an editor', () => {
  it('speaks the language of its text, from the start and after every change', async () => {
    const highlighter = new Highlighter(registry(), await loaded(), new Magics());
    const prompt = editor('%%gemini\n*hello*', highlighter);
    expect(spoken(prompt)).toBe('gemini');
    expect(prompt.dom.classList).toContain('jp-gemini-Prompt');
    const code = editor('x = 1', highlighter);
    expect(spoken(code)).toBe('python');
    replace(code, 0, 5, '%%gemini hello');
    expect(spoken(code)).toBe('gemini');
    replace(code, 0, 1);
    expect(spoken(code)).toBe('python');
    expect(code.dom.classList).not.toContain('jp-gemini-Prompt');
    undo(code);
    expect(spoken(code)).toBe('gemini');
    undo(code);
    expect([code.state.doc.toString(), spoken(code)]).toEqual(['x = 1', 'python']);
    redo(code);
    expect(spoken(code)).toBe('gemini');
    replace(code, 0, 0, '# why\n\n');
    expect(spoken(code)).toBe('gemini');
    replace(code, 0, 0, 'x\n');
    expect(spoken(code)).toBe('python');
  });

  it('asks for the table with the first prompt only, and once', async () => {
    const asked: string[] = [];
    const table = new OptionTable(server(asked));
    const highlighter = new Highlighter(registry(), table, new Magics());
    const code = editor('x = 1', highlighter);
    expect(asked).toEqual([]);
    replace(code, 0, 5, '%%gemini --fresh hello *you*');
    editor('%%gemini', highlighter);
    await table.load();
    expect(asked).toEqual(['options']);
  });

  it('is left alone by a table that tells it nothing', async () => {
    const table = new OptionTable(server());
    const highlighter = new Highlighter(registry(), table, new Magics());
    const views = ['print(5 % 3)', 'x = %gemini -q hi', '%%gemini -q hi'].map(doc =>
      editor(doc, highlighter)
    );
    const before = views.map(view => view.state);
    await table.load();
    expect(views.map((view, at) => view.state === before[at])).toEqual([true, false, false]);
    const [code, line, prompt] = views as [EditorView, EditorView, EditorView];
    expect([marked(line, 'Option'), marked(line, 'Text')]).toEqual([['-q'], []]);
    replace(code, 0, 0, '%gemini -q hi\n');
    expect([marked(code, 'Option'), marked(code, 'Text')]).toEqual([['-q'], []]);
    expect(spoken(prompt)).toBe('gemini');
  });

  it('takes other names of the magic', async () => {
    const highlighter = new Highlighter(registry(), await loaded(), new Magics());
    const view = editor('%%ask hello', highlighter);
    expect(spoken(view)).toBe('python');
    highlighter.magics = new Magics(['ask']);
    expect(spoken(view)).toBe('gemini');
  });

  it('marks placeholders as Python, wherever they stand', async () => {
    const highlighter = new Highlighter(registry(), await loaded(), new Magics());
    const text =
      '%%gemini --stop {{ no }} --system "{{ a }}" About {{ b }} \\{{ no }} ${{ no }}\n' +
      '```json\n{"c": {{ c[0] }}}\n```\n{{ f("x") }}';
    const view = editor(text.replace('--stop {{ no }} ', ''), highlighter);
    expect(marked(view, 'Placeholder')).toEqual([
      '{{ a }}',
      '{{ b }}',
      '{{ c[0] }}',
      '{{ f("x") }}'
    ]);
    replace(view, view.state.doc.length, view.state.doc.length, ' {{ d }}');
    expect(marked(view, 'Placeholder')).toHaveLength(5);
    replace(view, 8, 8, ' --raw');
    expect(marked(view, 'Placeholder')).toEqual([]);
  });

  it('tints one-line magics, and leaves their cell Python', async () => {
    const highlighter = new Highlighter(registry(), await loaded(), new Magics());
    const view = editor('x = 1\nreply = %gemini -m gpt-5 hi\nprint("%gemini -m x")', highlighter);
    expect(spoken(view)).toBe('python');
    expect(marked(view, 'Magic')).toEqual(['%gemini']);
    expect(marked(view, 'Option')).toEqual(['-m']);
    expect(marked(view, 'Model')).toEqual(['gpt-5']);
  });
});

it('placeholders are filled in the prompt and in --system', async () => {
  const { find } = await loaded();
  const parts = (text: string): string[] =>
    filledParts(text, new Magics(), find).map(([from, to]) => text.slice(from, to));
  expect(parts('%%gemini -m x --system "a" hello\nyou')).toEqual(['"a"', 'hello\nyou']);
  expect(parts('%%gemini --raw hello')).toEqual([]);
  expect(parts('x = 1')).toEqual([]);
});
