import { pythonLanguage } from '@codemirror/lang-python';
import { describe, expect, it } from 'vitest';
import { Magics } from '../../src/editor/head';
import { cellLanguage } from '../../src/editor/language';
import { loaded } from './table';

const table = await loaded();
const language = cellLanguage(new Magics(), table.find, info =>
  info === 'python' ? pythonLanguage.parser : null
);

/** The nodes of these names, with their texts. */
function nodes(text: string, ...names: string[]): [string, string][] {
  const found: [string, string][] = [];
  language.parser.parse(text).iterate({
    enter: ({ name, from, to }) => {
      if (names.some(one => name.startsWith(one))) {
        found.push([name, text.slice(from, to)]);
      }
    }
  });
  return found;
}

describe('the language of a cell', () => {
  it('knows the words of the first line', () => {
    const line = '%%gemini -m proxy:gpt-5 -t 0.5 --thinking low --system hi --fresh -- *Tell* me';
    expect(nodes(line, 'Gemini', 'Emphasis')).toEqual([
      ['GeminiHead', line],
      ['GeminiMagic', '%%gemini'],
      ['GeminiOption', '-m'],
      ['GeminiModel', 'proxy:gpt-5'],
      ['GeminiOption', '-t'],
      ['GeminiSetting', '0.5'],
      ['GeminiOption', '--thinking'],
      ['GeminiSetting', 'low'],
      ['GeminiOption', '--system'],
      ['GeminiText', 'hi'],
      ['GeminiOption', '--fresh'],
      ['GeminiGuard', '--'],
      ['Emphasis', '*Tell*'],
      ['EmphasisMark', '*'],
      ['EmphasisMark', '*']
    ]);
  });

  it('reads comments above it, and Markdown below it', () => {
    const text = '\n# why\n  # more\n\n%%gemini -q\n# Title\n\n- *one*\n- two\n';
    expect(nodes(text, 'Gemini', 'ATX', 'BulletList', 'Emphasis')).toEqual([
      ['GeminiHead', '# why\n  # more\n\n%%gemini -q'],
      ['GeminiComment', '# why'],
      ['GeminiComment', '# more'],
      ['GeminiMagic', '%%gemini'],
      ['GeminiOption', '-q'],
      ['ATXHeading1', '# Title'],
      ['BulletList', '- *one*\n- two'],
      ['Emphasis', '*one*'],
      ['EmphasisMark', '*'],
      ['EmphasisMark', '*']
    ]);
  });

  it('does not join the first line and the body', () => {
    expect(nodes('%%gemini hello\n---\nthere', 'Setext', 'HorizontalRule')).toEqual([
      ['HorizontalRule', '---']
    ]);
  });

  it('marks an option that there is not', () => {
    expect(nodes('%%gemini --temprature 1 hi', 'GeminiUnknown')).toEqual([
      ['GeminiUnknown', '--temprature']
    ]);
  });

  it('parses fenced code', () => {
    const text = '%%gemini\n```python\ndef f(): pass\n```\n```unheard\nx\n```\n';
    const tree = language.parser.parse(text);
    expect(tree.resolveInner(text.indexOf('f()'), 1).parent?.name).toBe('FunctionDefinition');
    expect(tree.resolveInner(text.indexOf('x'), 1).name).toBe('CodeText');
  });

  it('keeps Markdown out of placeholders', () => {
    const text = '%%gemini\nSee {{ rows[0](a) }} and {{ f(a*b) }} * {{ c*d }} \\{{ [x](y) }}';
    expect(nodes(text, 'GeminiPlaceholder', 'Link', 'Emphasis')).toEqual([
      ['GeminiPlaceholder', '{{ rows[0](a) }}'],
      ['GeminiPlaceholder', '{{ f(a*b) }}'],
      ['Link', '[x](y)'],
      ['LinkMark', '['],
      ['LinkMark', ']'],
      ['LinkMark', '('],
      ['LinkMark', ')']
    ]);
  });

  it('survives any start of a cell while it is typed', () => {
    const text =
      '# a\n\n%%gemini -m "x" --schema {"a": 1} {{ f(1) }}\n```python\nx = {{ y }}\n```\n';
    for (let end = 0; end <= text.length; end++) {
      expect(language.parser.parse(text.slice(0, end)).length).toBe(end);
    }
  });
});
