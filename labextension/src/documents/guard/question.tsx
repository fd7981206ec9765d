/** The question that is asked for a key. */

import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { IFinding } from '../routes';
import type { Answer, IKey } from './model';

/** So many places of a key are named. */
const NAMED = 4;

/** Ask what becomes of a key. */
export async function ask(key: IKey, name: string, trans: TranslationBundle): Promise<Answer> {
  const body = new Question(key, trans);
  const buttons = [
    Dialog.cancelButton({ label: trans.__('Don’t save') }),
    Dialog.warnButton({ label: trans.__('Save anyway'), actions: ['keep'] }),
    Dialog.createButton({ label: trans.__('Redact'), actions: ['redact'], accept: true }),
    Dialog.okButton({ label: trans.__('Move to keyring'), actions: ['keyring'] })
  ];
  const title = trans.__('A key is in “%1”', name);
  const dialog = new Dialog({
    title,
    body,
    buttons,
    focusNodeSelector: 'input',
    // What stands in outputs alone is of no use to the code: there is nothing to read it for.
    defaultButton: key.places.some(place => place.where === 'source') ? 3 : 2
  });
  dialog.node.ariaLabel = title;
  const result = await dialog.launch();
  const [action] = result.button.accept ? result.button.actions : [];
  switch (action) {
    case 'keyring':
      return { what: 'keyring', name: result.value ?? '' };
    case 'redact':
      return { what: 'redact' };
    case 'keep':
      return { what: 'keep' };
    default:
      return { what: 'cancel' };
  }
}

class Question extends ReactWidget {
  constructor(
    private readonly key: IKey,
    private readonly trans: TranslationBundle
  ) {
    super();
    this._name = suggested(key);
    this.addClass('jp-gemini-Question-body');
  }

  /** The name for the keyring. */
  getValue(): string {
    return this._name.trim() === '' ? suggested(this.key) : this._name.trim();
  }

  protected render(): React.JSX.Element {
    const { key, trans } = this;
    const more = key.places.length - NAMED;
    return (
      <>
        <p>
          {trans.__('Who gets the notebook gets the key:')} <code>{key.shown}</code> ({key.kind})
        </p>
        <ul>
          {key.places.slice(0, NAMED).map((place, index) => (
            <li key={index}>{where(place, trans)}</li>
          ))}
          {more > 0 && <li>{trans._n('%1 more place', '%1 more places', more)}</li>}
        </ul>
        <label>
          {trans.__('Name in the keyring')}
          <input
            type="text"
            className="jp-mod-styled"
            spellCheck={false}
            defaultValue={this._name}
            onChange={event => {
              this._name = event.target.value;
            }}
          />
        </label>
      </>
    );
  }

  private _name: string;
}

function where(place: IFinding, trans: TranslationBundle): string {
  if (place.cell === null) {
    return trans.__('the notebook’s metadata');
  }
  const cell = place.cell + 1;
  if (place.where === 'output') {
    return trans.__('cell %1, its output', cell);
  }
  if (place.where === 'metadata') {
    return trans.__('cell %1, its metadata', cell);
  }
  return place.line === null
    ? trans.__('cell %1', cell)
    : trans.__('cell %1, line %2', cell, place.line);
}

/** What such a key is usually called: the service of `OPENROUTER_API_KEY` is openrouter. */
function suggested(key: IKey): string {
  const name = key.kind.replace(/_(?:API_|ACCESS_|CLIENT_)?(?:KEY|TOKEN|SECRET)$/, '');
  return /^\w+$/.test(name) ? name.toLowerCase() : 'gemini';
}
