/** A report's lines. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { INote } from './routes';

interface IProps {
  notes: INote[];
  trans: TranslationBundle;
}

export function Notes({ notes, trans }: IProps): React.JSX.Element {
  if (notes.length === 0) {
    return (
      <p className="jp-gemini-Notes">{trans.__('All of it can be expressed: no differences.')}</p>
    );
  }
  return (
    <details className="jp-gemini-Notes" open>
      <summary>{trans._n('%1 thing to know of', '%1 things to know of', notes.length)}</summary>
      <ul>
        {notes.map((note, index) => (
          <li key={index}>
            <span className="jp-gemini-Kind">{note.kind}</span> {note.text}
          </li>
        ))}
      </ul>
    </details>
  );
}
