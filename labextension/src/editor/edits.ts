/** Changes the options of a cell's first line, and nothing else of its text. */

import { headOf, readFirstLine, type FindOption, type IToken, type Magics } from './head';

/** Replace the text from `from` to `to` by `insert`. */
export interface IEdit {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

/** An option that is to have this value; null takes it away. */
export type Wish = readonly [option: string, value: string | null];

/**
 * The edit that gives a cell these options; null if it is no cell of ours, or has them.
 *
 * The whole first line's options are one edit, so that one undo takes it back.
 */
export function withOptions(
  source: string,
  wishes: readonly Wish[],
  magics: Magics,
  find: FindOption
): IEdit | null {
  const head = headOf(source, magics);
  if (head === null) {
    return null;
  }
  const old = source.slice(head.rest, head.to);
  let line = old;
  for (const [option, value] of wishes) {
    line = withOption(line, option, value, find);
  }
  if (line === old) {
    return null;
  }
  // Only what differs: cursors stay where they are.
  let from = 0;
  while (from < Math.min(old.length, line.length) && old[from] === line[from]) {
    from++;
  }
  let same = 0;
  const most = Math.min(old.length, line.length) - from;
  while (same < most && old[old.length - 1 - same] === line[line.length - 1 - same]) {
    same++;
  }
  return {
    from: head.rest + from,
    to: head.rest + old.length - same,
    insert: line.slice(from, line.length - same)
  };
}

/** The value that a cell gives an option, without its quotes; null if it gives none. */
export function valueOf(
  source: string,
  option: string,
  magics: Magics,
  find: FindOption
): string | null {
  const head = headOf(source, magics);
  if (head === null) {
    return null;
  }
  const line = source.slice(head.rest, head.to);
  const value = readFirstLine(line, find).tokens.find(
    one => one.kind === 'value' && one.option?.name === option
  );
  return value === undefined
    ? null
    : line.slice(value.from, value.to).replace(/^(["'])(.*)\1$/, '$2');
}

function withOption(line: string, option: string, value: string | null, find: FindOption): string {
  const { tokens } = readFirstLine(line, find);
  const index = tokens.findIndex(one => one.kind === 'option' && one.option?.name === option);
  const name = tokens[index];
  if (name === undefined) {
    const written = option === 'model' ? '-m' : `--${option}`;
    return value === null ? line : ` ${written} ${quoted(value)}${spaced(line)}`;
  }
  const next = tokens[index + 1];
  const given = next?.kind === 'value' ? next : undefined;
  if (value === null) {
    return cut(line, name, given ?? name);
  }
  return given === undefined
    ? `${line.slice(0, name.to)} ${quoted(value)}${spaced(line.slice(name.to))}`
    : line.slice(0, given.from) + quoted(value) + line.slice(given.to);
}

/** The line without the words from one to another, and without a blank that parted them. */
function cut(line: string, first: IToken, last: IToken): string {
  const before = line.slice(0, first.from).trimEnd();
  return before + spaced(line.slice(last.to).trimStart());
}

function spaced(rest: string): string {
  return rest === '' || /^\s/.test(rest) ? rest : ` ${rest}`;
}

function quoted(value: string): string {
  return /^[^\s"'=-][^\s]*$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
