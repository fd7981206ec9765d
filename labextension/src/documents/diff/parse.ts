/** Reads a unified diff, as rows for one column or for two. */

export type Mark = ' ' | '-' | '+';

/** A line of a diff, with its numbers in the old and the new text where it stands there. */
export interface ILine {
  mark: Mark;
  text: string;
  old: number | null;
  new: number | null;
}

/** A run of lines that belong together; `file` is what is changed: a file, or a cell of it. */
export interface IHunk {
  file: string;
  lines: ILine[];
}

const HEADER = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** The hunks of a unified diff; what is none of its lines (git's own headers) is left out. */
export function hunksOf(diff: string): IHunk[] {
  const hunks: IHunk[] = [];
  let file = '';
  let hunk: IHunk | null = null;
  let [oldLine, newLine] = [0, 0];
  let rest: [number, number] = [0, 0];
  for (const line of diff.split('\n')) {
    const inside = hunk !== null && (rest[0] > 0 || rest[1] > 0);
    const header = inside ? null : HEADER.exec(line);
    if (header !== null) {
      hunk = { file, lines: [] };
      hunks.push(hunk);
      [oldLine, newLine] = [Number(header[1]), Number(header[2])];
      rest = lengths(line);
    } else if (inside && hunk !== null) {
      const mark = line.charAt(0);
      const text = line.slice(1);
      if (mark === '-') {
        hunk.lines.push({ mark, text, old: oldLine++, new: null });
        rest[0]--;
      } else if (mark === '+') {
        hunk.lines.push({ mark, text, old: null, new: newLine++ });
        rest[1]--;
      } else if (mark === ' ' || mark === '') {
        hunk.lines.push({ mark: ' ', text, old: oldLine++, new: newLine++ });
        rest[0]--;
        rest[1]--;
      }
    } else if (line.startsWith('+++ ')) {
      file = line.slice(4).split('\t')[0]?.replace(/^b\//, '') ?? '';
    }
  }
  return hunks;
}

/** How many old and new lines a hunk's header promises: text in it may look like a header. */
function lengths(header: string): [number, number] {
  const found = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(header);
  return [Number(found?.[1] ?? 1), Number(found?.[2] ?? 1)];
}

/** Lines side by side: what was, and what is in its place. */
export function pairs(lines: ILine[]): [ILine | null, ILine | null][] {
  const rows: [ILine | null, ILine | null][] = [];
  let olds: ILine[] = [];
  let news: ILine[] = [];
  const flush = (): void => {
    for (let i = 0; i < Math.max(olds.length, news.length); i++) {
      rows.push([olds[i] ?? null, news[i] ?? null]);
    }
    olds = [];
    news = [];
  };
  for (const line of lines) {
    if (line.mark === '-') {
      if (news.length > 0) {
        flush();
      }
      olds.push(line);
    } else if (line.mark === '+') {
      news.push(line);
    } else {
      flush();
      rows.push([line, line]);
    }
  }
  flush();
  return rows;
}
