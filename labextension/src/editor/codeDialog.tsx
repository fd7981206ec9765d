/** Shows a cell as a program of its own, in one language or another, to be copied. */

import { Clipboard, Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Code } from '../documents/code';
import type { CodeModel } from './codeModel';

interface IProps {
  model: CodeModel;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

/** Show the dialog until it is closed. */
export async function showCode(props: IProps): Promise<void> {
  void props.model.load();
  await new Dialog({
    title: props.trans.__('The cell as code'),
    body: new Body(props),
    buttons: [Dialog.okButton({ label: props.trans.__('Close') })],
    focusNodeSelector: 'select',
    hasClose: true
  }).launch();
}

class Body extends ReactWidget {
  constructor(private readonly _props: IProps) {
    super();
    this.addClass('jp-gemini-CodeDialog');
  }

  protected render(): React.JSX.Element {
    return (
      <UseSignal signal={this._props.model.changed}>{() => <Shown {...this._props} />}</UseSignal>
    );
  }
}

function Shown({ model, languages, trans }: IProps): React.JSX.Element {
  return (
    <>
      <div className="jp-gemini-CodeDialog-choice">
        <label>
          {trans.__('Language and SDK')}
          <select
            className="jp-mod-styled"
            value={model.target}
            onChange={event => void model.show(event.target.value)}
          >
            {model.targets.map(one => (
              <option key={one.target} value={one.target}>
                {one.title}
              </option>
            ))}
          </select>
        </label>
        <Copy text={model.text} trans={trans} />
      </div>
      {model.problem !== null && <p role="alert">{model.problem}</p>}
      {model.notes.length > 0 && (
        <ul aria-label={trans.__('Notes')}>
          {model.notes.map(note => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      <Code name={model.name} text={model.text} label={trans.__('Program')} languages={languages} />
    </>
  );
}

function Copy({ text, trans }: { text: string; trans: TranslationBundle }): React.JSX.Element {
  const [copied, setCopied] = React.useState('');
  const done = text !== '' && copied === text;
  return (
    <button
      type="button"
      className="jp-mod-styled jp-mod-reject"
      disabled={text === ''}
      aria-live="polite"
      onClick={() => {
        Clipboard.copyToSystem(text);
        setCopied(text);
      }}
    >
      {done ? trans.__('Copied') : trans.__('Copy')}
    </button>
  );
}
