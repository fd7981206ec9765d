/** The first line of a %%gemini cell: where it is, and which of its words are options. */

/** A row of the server's option table, as far as the editor reads it. */
export interface IOption {
  /** Long name, without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short: string | null;
  readonly type: string;
  readonly choices: readonly string[];
  readonly help: string;
  /** What it takes, for people; empty for a flag. */
  readonly values: string;
  /** The kinds of backends that can do it. */
  readonly kinds: readonly string[];
}

/** The option written so (`--model` or `-m`); null if there is none; undefined if nobody knows yet. */
export type FindOption = (word: string) => IOption | null | undefined;

/** A line with a magic: offsets of its percent sign, of what follows its name, and of its end. */
export interface IHead {
  readonly from: number;
  readonly rest: number;
  readonly to: number;
}

/** A word of the first line, with offsets in the text that was read. */
export interface IToken {
  readonly kind: 'option' | 'value' | 'unknown' | 'guard';
  readonly from: number;
  readonly to: number;
  /** The option that this is, or is the value of; undefined if nobody knows yet. */
  readonly option: IOption | undefined;
}

/** Options and their values, and the offset at which the prompt begins. */
export interface IFirstLine {
  readonly tokens: readonly IToken[];
  readonly prompt: number;
}

const PREAMBLE = /^[ \t]*(?:#.*)?$/;
const WORD = /-(?:-[A-Za-z][^\s=]*|[A-Za-z](?=[\s=]|$))/y;
const BLANKS = /[ \t\r\f\v]*/y;
const BARE = /[^ \t\r\f\v]*/y;
const GUARD = /--(?=[ \t\r\f\v]|$)/y;

/** The magics' names, as the patterns that find them. */
export class Magics {
  constructor(readonly names: readonly string[] = ['gemini']) {
    const known = names.map(name => name.replace(/[^\w]/g, '\\$&')).join('|');
    this._cell = new RegExp(`^%%(?:${known})(?!\\S)`);
    this._line = new RegExp(`^([ \\t]*(?:[^%#'"\\n]*=[ \\t]*)?)(%(?:${known}))(?!\\S)`);
  }

  /** The head of a cell of ours: blank and comment lines may stand above it. */
  head(lines: Iterable<string>): IHead | null {
    let at = 0;
    for (const line of lines) {
      const match = this._cell.exec(line);
      if (match !== null) {
        return { from: at, rest: at + match[0].length, to: at + line.length };
      }
      if (!PREAMBLE.test(line)) {
        return null;
      }
      at += line.length + 1;
    }
    return null;
  }

  /** The one-line form in a line, perhaps below the targets of an assignment. */
  line(text: string): IHead | null {
    const match = this._line.exec(text);
    if (match === null) {
      return null;
    }
    const from = match[1]?.length ?? 0;
    return { from, rest: match[0].length, to: text.length };
  }

  private readonly _cell: RegExp;
  private readonly _line: RegExp;
}

/** The head of a cell with this text. */
export function headOf(text: string, magics: Magics): IHead | null {
  return magics.head(lines(text));
}

function* lines(text: string): Generator<string> {
  for (let from = 0, to = 0; to >= 0; from = to + 1) {
    to = text.indexOf('\n', from);
    yield text.slice(from, to < 0 ? undefined : to);
  }
}

/**
 * Read the options of a first line, as `gemini_magic.options.read` does.
 *
 * It never fails: the line is being written. What follows an unknown option is not read; an option
 * whose kind nobody knows yet is taken to have a value.
 *
 * @param line - what follows the magic's name
 */
export function readFirstLine(line: string, find: FindOption): IFirstLine {
  const tokens: IToken[] = [];
  let position = skip(BLANKS, line, 0);
  for (;;) {
    const from = position;
    position = skip(WORD, line, from);
    if (position === from) {
      break;
    }
    const option = find(line.slice(from, position));
    if (option === null) {
      tokens.push({ kind: 'unknown', from, to: position, option: undefined });
      return { tokens, prompt: position };
    }
    tokens.push({ kind: 'option', from, to: position, option });
    if (option?.type !== 'flag') {
      const value = valueAt(line, position, option);
      if (value !== null) {
        tokens.push(value);
        position = value.to;
      }
    }
    position = skip(BLANKS, line, position);
  }
  const guarded = skip(GUARD, line, position);
  if (guarded > position) {
    tokens.push({ kind: 'guard', from: position, to: guarded, option: undefined });
    position = skip(BLANKS, line, guarded);
  }
  return { tokens, prompt: position };
}

function valueAt(line: string, after: number, option: IOption | undefined): IToken | null {
  const equals = line[after] === '=';
  const from = equals ? after + 1 : skip(BLANKS, line, after);
  if (!equals && (skip(WORD, line, from) > from || skip(GUARD, line, from) > from)) {
    return null;
  }
  const first = line[from] ?? '';
  let to: number;
  if (first === '"' || first === "'") {
    to = endOfQuoted(line, from);
  } else if (option?.type === 'json' && (first === '{' || first === '[')) {
    to = endOfJson(line, from);
  } else {
    to = skip(BARE, line, from);
  }
  return to > from ? { kind: 'value', from, to, option } : null;
}

/** After the closing quote, or at the end of the line; `\` escapes within double quotes only. */
function endOfQuoted(line: string, from: number): number {
  const quote = line[from];
  for (let at = from + 1; at < line.length; at++) {
    if (line[at] === quote) {
      return at + 1;
    }
    if (quote === '"' && line[at] === '\\' && 'ntr"\\'.includes(line[at + 1] ?? ' ')) {
      at++;
    }
  }
  return line.length;
}

/** After the bracket that closes the JSON, or at the end of the line. */
function endOfJson(line: string, from: number): number {
  let depth = 0;
  for (let at = from; at < line.length; at++) {
    const char = line[at] ?? '';
    if (char === '"') {
      for (at++; at < line.length && line[at] !== '"'; at++) {
        at += line[at] === '\\' ? 1 : 0;
      }
    } else if (char === '{' || char === '[') {
      depth++;
    } else if (char === '}' || char === ']') {
      depth--;
      if (depth === 0) {
        return at + 1;
      }
    }
  }
  return line.length;
}

/** The position after what the sticky pattern matches at `position`; the same if it does not. */
function skip(pattern: RegExp, text: string, position: number): number {
  pattern.lastIndex = position;
  return position + (pattern.exec(text)?.[0].length ?? 0);
}
