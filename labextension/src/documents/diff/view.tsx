/** Draws a unified diff, in one column or in two. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { hunksOf, pairs, type IHunk, type ILine } from './parse';

interface IProps {
  diff: string;
  label: string;
  beside: boolean;
  trans: TranslationBundle;
}

export function DiffTable({ diff, label, beside, trans }: IProps): React.JSX.Element {
  const hunks = React.useMemo(() => hunksOf(diff), [diff]);
  return (
    <div className="jp-gemini-Diff" tabIndex={0} role="region" aria-label={label}>
      {hunks.map((hunk, index) => (
        <table key={index} className={beside ? 'jp-mod-beside' : ''}>
          <caption>{heading(hunk, hunks[index - 1], trans)}</caption>
          <tbody>
            {beside
              ? pairs(hunk.lines).map(([left, right], row) => (
                  <tr key={row}>
                    {cells(left, left?.old ?? null, hunk.file, trans)}
                    {cells(right, right?.new ?? null, hunk.file, trans)}
                  </tr>
                ))
              : hunk.lines.map((line, row) => (
                  <tr key={row}>
                    <td className="jp-gemini-Diff-number">{line.old ?? ''}</td>
                    {cells(line, line.new, hunk.file, trans)}
                  </tr>
                ))}
          </tbody>
        </table>
      ))}
    </div>
  );
}

/** The file's or cell's name where it is another than that of the hunk above. */
function heading(hunk: IHunk, above: IHunk | undefined, trans: TranslationBundle): string {
  const first = hunk.lines.at(0);
  const line = first?.new ?? first?.old ?? 0;
  const where = trans.__('from line %1', line);
  return above?.file === hunk.file || hunk.file === '' ? where : `${hunk.file}, ${where}`;
}

const KINDS = { ' ': '', '-': 'jp-mod-removed', '+': 'jp-mod-added' };

function cells(
  line: ILine | null,
  number: number | null,
  file: string,
  trans: TranslationBundle
): React.JSX.Element {
  if (line === null) {
    return (
      <>
        <td className="jp-gemini-Diff-number" />
        <td className="jp-gemini-Diff-none" />
      </>
    );
  }
  const said = line.mark === '-' ? trans.__('removed') : line.mark === '+' ? trans.__('added') : '';
  const place = line.old === null ? {} : { 'data-file': file, 'data-line': line.old };
  return (
    <>
      <td className="jp-gemini-Diff-number">{number ?? ''}</td>
      <td className={KINDS[line.mark]} {...place}>
        <span
          className="jp-gemini-Diff-mark"
          role="img"
          aria-label={said}
          aria-hidden={said === ''}
        >
          {line.mark}
        </span>
        {line.text}
      </td>
    </>
  );
}
