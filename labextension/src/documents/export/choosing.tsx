/** The left half of the export dialog: what is made of the notebook, and where it goes. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Tick } from '../tick';
import type { Form } from '../routes';
import type { Choices, ExportModel } from './model';

interface IProps {
  model: ExportModel;
  trans: TranslationBundle;
}

export function Choosing({ model, trans }: IProps): React.JSX.Element {
  const { state } = model;
  const takes = model.target?.options ?? [];
  const forms: Record<Form, string> = {
    files: trans.__('Files'),
    zip: trans.__('ZIP file'),
    git: trans.__('Git branch')
  };
  return (
    <div className="jp-gemini-Choosing">
      <label>
        {trans.__('Target')}
        <HTMLSelect
          value={state.target}
          onChange={event => {
            model.choose({ target: event.target.value });
          }}
        >
          {state.targets.targets.map(one => (
            <option key={one.target} value={one.target}>
              {one.title}
            </option>
          ))}
        </HTMLSelect>
      </label>
      {takes.length > 0 && (
        <fieldset>
          <legend>{trans.__('Options')}</legend>
          {state.targets.options
            .filter(one => takes.includes(one.name))
            .map(one => (
              <Tick
                key={one.name}
                label={one.help}
                checked={state.options[one.name] ?? false}
                onChange={checked => {
                  model.choose({ options: { ...state.options, [one.name]: checked } });
                }}
              />
            ))}
        </fieldset>
      )}
      <fieldset>
        <legend>{trans.__('Save as')}</legend>
        {model.forms.map(form => (
          <label key={form} className="jp-gemini-Tick">
            <input
              type="radio"
              name="jp-gemini-form"
              checked={state.form === form}
              onChange={() => {
                model.choose({ form });
              }}
            />
            {forms[form]}
          </label>
        ))}
        {state.form !== 'files' && (
          <Tick
            label={trans.__('All programs, not only this target')}
            checked={state.all}
            onChange={all => {
              model.choose({ all });
            }}
          />
        )}
        <Places model={model} trans={trans} />
      </fieldset>
    </div>
  );
}

function Places({ model, trans }: IProps): React.JSX.Element {
  const { form, to, branch } = model.state;
  const field = (
    label: string,
    value: string,
    key: keyof Choices,
    placeholder = ''
  ): React.JSX.Element => (
    <label>
      {label}
      <input
        type="text"
        className="jp-mod-styled"
        spellCheck={false}
        value={value}
        placeholder={placeholder}
        onChange={event => {
          model.choose({ [key]: event.target.value });
        }}
      />
    </label>
  );
  switch (form) {
    case 'files':
      return field(trans.__('Folder'), to, 'to', trans.__('the server’s own folder'));
    case 'zip':
      return field(trans.__('ZIP file'), to, 'to');
    case 'git':
      return (
        <>
          {field(trans.__('Repository: its folder or address'), to, 'to', 'https://… git@…')}
          {field(trans.__('Branch'), branch, 'branch')}
        </>
      );
  }
}
