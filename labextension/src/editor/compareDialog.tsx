/** Asks which models a cell compares. */

import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { IChoice } from './names';

/** What was chosen: the models as `--compare` names them, and whether they are to be asked now. */
export interface IComparison {
  readonly models: readonly string[];
  readonly run: boolean;
}

/**
 * Show the dialog; null if the user left it.
 *
 * @param chosen - names that are ticked at first; those that are not known are listed too
 */
export async function askComparison(
  choices: readonly IChoice[],
  chosen: readonly string[],
  trans: TranslationBundle
): Promise<IComparison | null> {
  const known = new Set(choices.map(one => one.name));
  const others = chosen.filter(name => !known.has(name)).map(name => ({ name, label: name }));
  const body = new Body([...choices, ...others], new Set(chosen), trans);
  const dialog = new Dialog<readonly string[]>({
    title: trans.__('Compare models'),
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.createButton({
        label: trans.__('Insert'),
        caption: trans.__('Write --compare into the cell'),
        actions: ['insert']
      }),
      Dialog.okButton({
        label: trans.__('Insert and run'),
        caption: trans.__('Write --compare into the cell, and ask all of them')
      })
    ],
    focusNodeSelector: 'input'
  });
  body.changed = () => {
    for (const button of dialog.node.querySelectorAll<HTMLButtonElement>(
      '.jp-Dialog-button.jp-mod-accept'
    )) {
      button.disabled = body.getValue().length < 2;
    }
  };
  body.changed();
  const { button, value } = await dialog.launch();
  if (!button.accept || value === null || value.length < 2) {
    return null;
  }
  return { models: value, run: !button.actions.includes('insert') };
}

class Body extends ReactWidget {
  constructor(
    private readonly _choices: readonly IChoice[],
    private readonly _chosen: Set<string>,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-gemini-Compare');
  }

  changed: () => void = () => undefined;

  getValue(): readonly string[] {
    return this._choices.map(one => one.name).filter(name => this._chosen.has(name));
  }

  protected render(): React.JSX.Element {
    return (
      <fieldset>
        <legend>
          {this._trans.__('Two models or more; each answers with a request of its own')}
        </legend>
        {this._choices.map(({ name, label }) => (
          <label key={name}>
            <input
              type="checkbox"
              defaultChecked={this._chosen.has(name)}
              onChange={event => {
                if (event.target.checked) {
                  this._chosen.add(name);
                } else {
                  this._chosen.delete(name);
                }
                this.changed();
              }}
            />
            {label}
          </label>
        ))}
      </fieldset>
    );
  }
}
