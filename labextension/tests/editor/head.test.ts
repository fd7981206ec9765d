import { describe, expect, it } from 'vitest';
import { headOf, Magics, readFirstLine, type FindOption } from '../../src/editor/head';
import cases from './firstLines.json';
import { loaded } from './table';

const magics = new Magics();
const table = await loaded();

describe('the head of a cell', () => {
  it.each([
    ['%%gemini', 0],
    ['%%gemini -m x\nbody', 0],
    ['\n  \n# why\n%%gemini hello', 10],
    ['%%gemini\thello', 0]
  ])('is found in %j', (text, from) => {
    expect(headOf(text, magics)).toMatchObject({ from, rest: from + 8 });
  });

  it.each([
    '%gemini hello',
    '%%geminix',
    ' %%gemini',
    'x = 1\n%%gemini',
    '%%bash',
    '',
    '%% gemini'
  ])('is not in %j', text => {
    expect(headOf(text, magics)).toBeNull();
  });

  it('has the names that were set', () => {
    const renamed = new Magics(['ask', 'gem.ini']);
    expect(headOf('%%ask hello', renamed)).not.toBeNull();
    expect(headOf('%%gemXini hello', renamed)).toBeNull();
    expect(headOf('%%gemini hello', renamed)).toBeNull();
  });
});

describe('the one-line form', () => {
  it.each([
    ['%gemini hello', 0],
    ['  reply = %gemini hello', 10],
    ['a, b = c = %gemini x', 11]
  ])('is found in %j', (text, from) => {
    expect(magics.line(text)).toMatchObject({ from, rest: from + 7 });
  });

  it.each(['x %gemini', 'print("a = %gemini x")', '# a = %gemini x', '%%gemini x', '%geminix'])(
    'is not in %j',
    text => {
      expect(magics.line(text)).toBeNull();
    }
  );
});

/** Options by name with their values, as the kernel reads them. */
function options(line: string, find: FindOption): [(string | true | undefined)[][], string] {
  const { tokens, prompt } = readFirstLine(line, find);
  const given: (string | true | undefined)[][] = [];
  for (const token of tokens) {
    const text = line.slice(token.from, token.to);
    const last = given.at(-1);
    if (token.kind === 'value' && last !== undefined) {
      const quote = text[0];
      const bare = quote === '"' || quote === "'" ? text.slice(1, -1) : text;
      last[1] = quote === '"' ? bare.replace(/\\(.)/g, '$1') : bare;
    } else if (token.kind === 'option') {
      given.push([token.option?.name, true]);
    }
  }
  return [given, line.slice(prompt)];
}

describe('the options of a first line', () => {
  it.each(cases as [string, unknown[], string][])('%j', (line, given, prompt) => {
    expect(options(line, table.find)).toEqual([given, prompt]);
  });

  it('end at an option that there is not', () => {
    const { tokens } = readFirstLine(' -q --temprature 1 x', table.find);
    expect(tokens.map(one => one.kind)).toEqual(['option', 'unknown']);
  });

  it('have values while nobody knows the table', () => {
    const { tokens, prompt } = readFirstLine(' --model x --fresh --top-k 3 hello', () => undefined);
    expect(tokens.map(one => one.kind)).toEqual(['option', 'value', 'option', 'option', 'value']);
    expect(prompt).toBe(29);
  });

  it('are read to the end of the line where a quote or a bracket stays open', () => {
    for (const line of [' --system "half', ' --schema {"a": "}', " --stop 'x"]) {
      expect(readFirstLine(line, table.find)).toMatchObject({ prompt: line.length });
    }
  });
});
