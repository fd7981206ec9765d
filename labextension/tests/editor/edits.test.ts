import { describe, expect, it } from 'vitest';
import { valueOf, withOptions, type Wish } from '../../src/editor/edits';
import { Magics } from '../../src/editor/head';
import { loaded } from './table';

const magics = new Magics();
const { find } = await loaded();

function edited(source: string, ...wishes: Wish[]): string {
  const edit = withOptions(source, wishes, magics, find);
  return edit === null ? source : source.slice(0, edit.from) + edit.insert + source.slice(edit.to);
}

describe('withOptions', () => {
  const runOn = (source: string, model: string): string =>
    edited(source, ['compare', null], ['route', null], ['model', model]);

  it.each([
    ['%%gemini', '%%gemini -m proxy'],
    ['%%gemini hello', '%%gemini -m proxy hello'],
    ['%%gemini\nhello -m x', '%%gemini -m proxy\nhello -m x'],
    ['# why\n\n%%gemini -t 1\nhi', '# why\n\n%%gemini -m proxy -t 1\nhi'],
    ['%%gemini -m studio:x --fresh hi', '%%gemini -m proxy --fresh hi'],
    ['%%gemini --model=x hi', '%%gemini --model=proxy hi'],
    ['%%gemini --route free -q hi', '%%gemini -m proxy -q hi'],
    ['%%gemini -q --compare a,b', '%%gemini -m proxy -q'],
    ['%%gemini -m', '%%gemini -m proxy'],
    ['%%gemini tell -m x', '%%gemini -m proxy tell -m x'],
    ['%%gemini -- -m x', '%%gemini -m proxy -- -m x']
  ])('makes %j run elsewhere', (before, after) => {
    expect(runOn(before, 'proxy')).toBe(after);
    expect(runOn(after, 'proxy')).toBe(after);
  });

  it('changes no more than differs', () => {
    const edit = withOptions('%%gemini -m proxy:a hi', [['model', 'proxy:b']], magics, find);
    expect(edit).toEqual({ from: 18, to: 19, insert: 'b' });
  });

  it('takes what is no cell of ours as it is', () => {
    expect(withOptions('x = 1', [['model', 'a']], magics, find)).toBeNull();
  });

  it('quotes what would be more than one word', () => {
    expect(edited('%%gemini hi', ['system', 'say "hi"'])).toBe(
      '%%gemini --system "say \\"hi\\"" hi'
    );
  });
});

it('valueOf reads what a cell gives an option', () => {
  expect(valueOf('%%gemini -m "a:b" hi', 'model', magics, find)).toBe('a:b');
  expect(valueOf('%%gemini hi', 'model', magics, find)).toBeNull();
  expect(valueOf('x = 1', 'model', magics, find)).toBeNull();
});

it('a comparison takes the place of the model', () => {
  expect(
    edited(
      '%%gemini -m a --temperature 1\nhi',
      ['model', null],
      ['route', null],
      ['compare', 'b,c']
    )
  ).toBe('%%gemini --compare b,c --temperature 1\nhi');
});
