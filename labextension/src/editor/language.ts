/** The language of a %%gemini cell: a first line of options, and Markdown below it. */

import { defineLanguageFacet, indentNodeProp, Language } from '@codemirror/language';
import type { Input, Parser } from '@lezer/common';
import { tags } from '@lezer/highlight';
import {
  parser as commonmark,
  GFM,
  parseCode,
  type BlockContext,
  type Element,
  type InlineParser,
  type Line,
  type MarkdownConfig
} from '@lezer/markdown';
import {
  headOf,
  readFirstLine,
  type FindOption,
  type IHead,
  type IToken,
  type Magics
} from './head';
import { placeholders } from './placeholders';

const BRACE = '{'.charCodeAt(0);

const data = defineLanguageFacet();

/**
 * The language of cells.
 *
 * @param code - the parser of fenced code, by what stands behind the fence
 */
export function cellLanguage(
  magics: Magics,
  find: FindOption,
  code: (info: string) => Parser | null
): Language {
  // The first wrapper is handed the block context itself, so the head comes before the fences.
  const parser = commonmark
    .configure([GFM, head(magics, find), { props: [indentation] }])
    .configure(parseCode({ codeParser: code }));
  return new Language(data, parser, [], 'gemini');
}

/** A new line in a prompt is indented as the one above it. */
const indentation = indentNodeProp.add({ Document: () => null });

function head(magics: Magics, find: FindOption): MarkdownConfig {
  const heads = new WeakMap<object, { text: string; head: IHead }>();
  return {
    defineNodes: [
      { name: 'GeminiHead', block: true },
      { name: 'GeminiComment', style: tags.lineComment },
      { name: 'GeminiMagic', style: tags.keyword },
      { name: 'GeminiOption', style: tags.attributeName },
      { name: 'GeminiUnknown', style: tags.invalid },
      { name: 'GeminiModel', style: tags.labelName },
      { name: 'GeminiText', style: tags.string },
      { name: 'GeminiSetting', style: tags.number },
      { name: 'GeminiGuard', style: tags.punctuation },
      { name: 'GeminiPlaceholder' }
    ],
    wrap: (inner, input) => {
      const text = read(input);
      const found = headOf(text, magics);
      if (found !== null) {
        heads.set(inner, { text: text.slice(0, found.to), head: found });
      }
      return inner;
    },
    parseBlock: [
      {
        name: 'GeminiHead',
        before: 'LinkReference',
        parse: (cx, line) => {
          const known = heads.get(cx);
          return known !== undefined && cx.lineStart <= known.head.from
            ? parseHead(cx, line, known.text, known.head, find)
            : false;
        }
      }
    ],
    parseInline: [placeholderParser()]
  };
}

function read(input: Input): string {
  return input.read(0, input.length);
}

function parseHead(
  cx: BlockContext,
  line: Line,
  text: string,
  found: IHead,
  find: FindOption
): boolean {
  const from = cx.lineStart;
  const parts: Element[] = [];
  while (cx.lineStart < found.from) {
    const comment = line.text.indexOf('#');
    if (comment >= 0) {
      const at = cx.lineStart;
      parts.push(cx.elt('GeminiComment', at + comment, at + line.text.length));
    }
    if (!cx.nextLine()) {
      return false;
    }
  }
  const rest = text.slice(found.rest);
  const { tokens, prompt } = readFirstLine(rest, find);
  parts.push(cx.elt('GeminiMagic', found.from, found.rest));
  for (const token of tokens) {
    parts.push(cx.elt(nodeOf(token), found.rest + token.from, found.rest + token.to));
  }
  parts.push(...cx.parser.parseInline(rest.slice(prompt), found.rest + prompt));
  cx.addElement(cx.elt('GeminiHead', from, found.to, parts));
  cx.nextLine();
  return true;
}

/** The node that a word of the first line is. */
export function nodeOf(token: IToken): string {
  if (token.kind === 'guard') {
    return 'GeminiGuard';
  }
  if (token.kind === 'unknown') {
    return 'GeminiUnknown';
  }
  if (token.kind === 'option') {
    return 'GeminiOption';
  }
  const { name, type } = token.option ?? { name: '', type: 'text' };
  if (name === 'model' || name === 'compare') {
    return 'GeminiModel';
  }
  return type === 'text' || type === 'value' || type === 'json' ? 'GeminiText' : 'GeminiSetting';
}

/** Keeps Markdown out of placeholders: `{{ rows[0](a) }}` is no link. */
function placeholderParser(): InlineParser {
  let text = '';
  let ends = new Map<number, number>(); // of the placeholders in the text, by their starts
  return {
    name: 'GeminiPlaceholder',
    before: 'Escape',
    parse: (cx, next, position) => {
      if (next !== BRACE || cx.char(position + 1) !== BRACE) {
        return -1;
      }
      if (text !== cx.text) {
        text = cx.text;
        ends = new Map(placeholders(text).map(one => [one.from, one.to]));
      }
      const end = ends.get(position - cx.offset);
      return end === undefined
        ? -1
        : cx.addElement(cx.elt('GeminiPlaceholder', position, cx.offset + end));
    }
  };
}
