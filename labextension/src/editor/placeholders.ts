/**
 * Where `{{ name }}` in a prompt is Python, and where it is just braces.
 *
 * The rules are those of `gemini_magic.template`; the cases in tests/editor/placeholders.json hold
 * both to the same answers.
 */

/** A placeholder, with offsets in the text that was read. */
export interface IPlaceholder {
  /** From the first brace to behind the last one. */
  readonly from: number;
  readonly to: number;
  /** The Python expression. */
  readonly begin: number;
  readonly end: number;
}

/** Whether Python can read this expression. */
export type IsPython = (expression: string) => boolean;

const NAME = /[\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_]*/uy;
const OPEN = /\\?\{\{+/g;
const TAIL = /[ \t]*(?:![rsa])?(?::[^{}'"\n\\]*|[ \t]*)\}\}/y;
const TEX_COMMAND = /\\[A-Za-z]+\*?$/;
const TEX_REACH = 40;
const DEEPEST = 20;
const LONGEST = 2000;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const KEYWORDS = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except ' +
    'finally for from global if import in is lambda nonlocal not or pass raise return try while ' +
    'with yield'
  ).split(' ')
);

/** The placeholders of a prompt, in order. */
export function placeholders(text: string, isPython: IsPython = () => true): IPlaceholder[] {
  const found: IPlaceholder[] = [];
  let closed = 0;
  OPEN.lastIndex = 0;
  for (let match = OPEN.exec(text); match !== null; match = OPEN.exec(text)) {
    const start = match.index;
    const follows = start === closed && closed > 0;
    if (match[0] === '{{' && (follows || !isLiteral(text, start))) {
      const one = read(text, start, isPython);
      if (one !== null) {
        found.push(one);
        closed = OPEN.lastIndex = one.to;
      }
    }
  }
  return found;
}

/** Whether what stands before the braces says that they are no placeholder. */
function isLiteral(text: string, start: number): boolean {
  const before = text.slice(Math.max(0, start - TEX_REACH), start);
  return /(?:[$_^]|\}\})$/.test(before) || TEX_COMMAND.test(before);
}

function read(text: string, start: number, isPython: IsPython): IPlaceholder | null {
  let begin = start + 2;
  while (text[begin] === ' ' || text[begin] === '\t') {
    begin++;
  }
  const named = endOf(NAME, text, begin);
  if (named < 0 || KEYWORDS.has(text.slice(begin, named))) {
    return null;
  }
  const end = endOfExpression(text, named);
  const to = end < 0 ? -1 : endOf(TAIL, text, end);
  if (to < 0 || end - begin > LONGEST) {
    return null;
  }
  const expression = text.slice(begin, end);
  return expression.includes('#') || !isPython(expression) ? null : { from: start, to, begin, end };
}

/** After `.attr`, `[...]` and calls; -1 if a bracket stays open. */
function endOfExpression(text: string, position: number): number {
  for (;;) {
    const char = text[position];
    const attribute = char === '.' ? endOf(NAME, text, position + 1) : -1;
    if (attribute >= 0) {
      position = attribute;
    } else if (char === '(' || char === '[') {
      position = closingBracket(text, position);
      if (position < 0) {
        return -1;
      }
    } else {
      return position;
    }
  }
}

/** After the bracket that closes the one at `position`, on the same line; or -1. */
function closingBracket(text: string, position: number): number {
  const open: string[] = [];
  let quote = '';
  const last = Math.min(text.length, position + LONGEST);
  for (; position < last; position++) {
    const char = text[position] ?? '';
    if (char === '\n' || char === '\\') {
      return -1;
    }
    if (quote !== '') {
      quote = char === quote ? '' : quote;
    } else if (char === '"' || char === "'") {
      quote = char;
    } else if (char in CLOSING) {
      open.push(CLOSING[char] ?? '');
      if (open.length > DEEPEST) {
        return -1;
      }
    } else if (char === ')' || char === ']' || char === '}') {
      if (open.pop() !== char) {
        return -1;
      }
      if (open.length === 0) {
        return position + 1;
      }
    }
  }
  return -1;
}

/** The position after what the sticky pattern matches at `position`; -1 if it does not. */
function endOf(pattern: RegExp, text: string, position: number): number {
  pattern.lastIndex = position;
  return pattern.test(text) ? pattern.lastIndex : -1;
}
