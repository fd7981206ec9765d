import { EditorState } from '@codemirror/state';
import { EditorView, showTooltip } from '@codemirror/view';
import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { Magics } from '../../src/editor/head';
import { helpFor, hover, wordAt, type IHelp } from '../../src/editor/hover';
import { OptionTable } from '../../src/editor/options';
import { loaded } from './table';

const trans = nullTranslator.load('gemini_magic');
const table = await loaded();

/** The help where `|` stands in the text. */
async function help(text: string): Promise<IHelp | null> {
  const at = text.indexOf('|');
  const state = EditorState.create({ doc: text.replace('|', '') });
  const word = wordAt(state, at, new Magics(), table);
  return word === null ? null : helpFor(word, at, table, trans);
}

describe('help', () => {
  it('tells what an option does, and what it takes', async () => {
    expect(await help('%%gemini --temp|erature 1')).toEqual({
      title: '-t, --temperature',
      lines: ['what temperature does', 'Takes: VALUE']
    });
    expect(await help('# why\n%%gemini --thinking lo|w hi')).toEqual({
      title: '--thinking',
      lines: ['what thinking does', 'One of: off, low', 'Only backends of kind google, openai']
    });
    expect((await help('x = %gemini -|q hi'))?.title).toBe('-q, --quiet');
  });

  it('tells who has a model, and what it can do', async () => {
    expect(await help('%%gemini -m gemini-2.5|-flash hi')).toEqual({
      title: 'gemini-2.5-flash',
      lines: ['with studio: text, pictures in', 'with proxy']
    });
    expect((await help('%%gemini --compare a,proxy:g|pt-5 hi'))?.lines).toEqual([
      'with proxy: text'
    ]);
    expect((await help('%%gemini -m prox|y'))?.lines).toEqual([
      'proxy:gemini-2.5-flash',
      'proxy:gpt-5: text'
    ]);
  });

  it('tells that there is no such option', async () => {
    expect((await help('%%gemini --temp|rature 1'))?.lines).toEqual(['There is no such option.']);
  });

  it.each([
    '%%gem|ini -m x',
    '%%gemini hel|lo -m x',
    '%%gemini\n--mod|el x',
    'x = "--mod|el"',
    '%%gemini -m unh|eard hi'
  ])('says nothing in %j', async text => {
    expect(await help(text)).toBeNull();
  });
});

it('an editor is given tooltips when the mouse first comes to it', () => {
  const extensions = hover(() => new Magics(), table, trans);
  const [one, other] = [1, 2].map(
    () => new EditorView({ doc: '%%gemini -m x', extensions, parent: document.body })
  ) as [EditorView, EditorView];
  const tooltips = (view: EditorView): number => view.state.facet(showTooltip).length;
  expect([tooltips(one), tooltips(other)]).toEqual([0, 0]);
  const line = one.contentDOM.firstElementChild;
  for (let times = 0; times < 2; times++) {
    line?.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
    expect([tooltips(one), tooltips(other)]).toEqual([1, 0]);
  }
  one.destroy();
  other.destroy();
});

describe('the table', () => {
  it('is asked for again after a failure', async () => {
    let fails = 1;
    const unsure = new OptionTable(<T>() =>
      fails-- > 0 ? Promise.reject(new Error('down')) : Promise.resolve([] as T)
    );
    expect(await unsure.load()).toBe(false);
    expect(unsure.find('--model')).toBeUndefined();
    expect(await unsure.load()).toBe(true);
    expect(unsure.find('--model')).toBeNull();
  });
});
