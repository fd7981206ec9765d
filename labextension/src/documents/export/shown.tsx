/** The right half of the export dialog: the program, its report, and what is in the way. */

import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Code } from '../code';
import { DiffTable } from '../diff/view';
import { Notes } from '../notes';
import type { IProps } from './dialog';

export function Shown({ model, trans, languages }: IProps): React.JSX.Element {
  const { problem, question, diff, looking } = model.state;
  return (
    <div className="jp-gemini-Shown">
      <div role="status" aria-live="polite">
        {problem !== null && <p className="jp-gemini-Problem">{problem}</p>}
        {question !== null && <p className="jp-gemini-Question">{question}</p>}
        {diff !== null && (
          <p className="jp-gemini-Question">{trans.__('This is what the commit changes.')}</p>
        )}
        {problem === null && looking && (
          <p className="jp-gemini-Looking">{trans.__('Making the preview …')}</p>
        )}
      </div>
      {diff === null ? (
        <Preview model={model} trans={trans} languages={languages} />
      ) : (
        <DiffTable
          diff={diff}
          label={trans.__('Changes of the commit')}
          beside={false}
          trans={trans}
        />
      )}
    </div>
  );
}

function Preview({ model, trans, languages }: IProps): React.JSX.Element {
  const { preview, file } = model.state;
  const shown = preview?.files[file];
  if (preview === null || shown === undefined) {
    return <div className="jp-gemini-Code" />;
  }
  return (
    <>
      {preview.files.length > 1 ? (
        <HTMLSelect
          aria-label={trans.__('File')}
          value={file}
          onChange={event => {
            model.show(Number(event.target.value));
          }}
        >
          {preview.files.map((one, index) => (
            <option key={one.name} value={index}>
              {one.name}
            </option>
          ))}
        </HTMLSelect>
      ) : (
        <p className="jp-gemini-FileName">{shown.name}</p>
      )}
      {shown.text === null ? (
        <p className="jp-gemini-Code">{trans.__('This file is no text.')}</p>
      ) : (
        <Code
          name={shown.name}
          text={shown.text}
          label={trans.__('Preview of %1', shown.name)}
          languages={languages}
        />
      )}
      <Notes notes={preview.notes} trans={trans} />
    </>
  );
}
