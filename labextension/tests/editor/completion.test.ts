import { expect, it } from 'vitest';
import { inProse } from '../../src/editor/completion';
import { Magics } from '../../src/editor/head';
import { loaded } from './table';

const { find } = await loaded();

it.each([
  ['%%gemini\nWhy|', true],
  ['%%gemini Why|', true],
  ['%%gemini -q -- Wh|y', true],
  ['# c\n%%gemini -q\n\n|', true],
  ['%%gem|ini', false],
  ['%%gemini --te|', false],
  ['%%gemini -m gem| why', false],
  ['%%gemini\nAbout {{ na|', false],
  ['%%gemini\nAbout {{ name }} an|', true],
  ['import o|', false]
])('prose in %j: %s', (text, is) => {
  expect(inProse(text.replace('|', ''), text.indexOf('|'), new Magics(), find)).toBe(is);
});
