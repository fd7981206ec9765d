/** The form that adds a backend: the key goes to the server with it, and is kept nowhere here. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { Refused } from '../request';
import { type BackendsModel, refused } from './backends';
import type { INewBackend, IPreset } from './contract';
import { Problem, useModel, useTrans } from './parts';

/** The choice that lets one say everything; the server has a preset for it, which says less. */
const CUSTOM = 'custom';
/** The status of an answer that asks whether a file may keep the key. */
const NO_KEYRING = 428;

export function AddBackend(props: {
  model: BackendsModel;
  /** Called with the name of the new backend, or with null where there is none. */
  onDone: (name: string | null) => void;
}): React.JSX.Element {
  const { model, onDone } = props;
  const trans = useTrans();
  const id = React.useId();
  const form = React.useRef<HTMLFormElement>(null);
  const [chosen, choose] = React.useState<string | null>(null);
  const [problem, complain] = React.useState<Refused | null>(null);
  const [busy, work] = React.useState(false);
  useModel(model);
  React.useEffect(() => {
    model.loadPresets().catch((error: unknown) => {
      complain(refused(error));
    });
  }, [model]);
  React.useEffect(() => {
    const made = form.current;
    return () => made?.reset(); // whoever holds the field has the key no more
  }, []);
  const presets = model.presets.filter(one => one.preset !== CUSTOM);
  const name = chosen ?? presets.at(0)?.preset ?? CUSTOM;
  const preset = presets.find(one => one.preset === name);

  const submit = async (event: React.FormEvent): Promise<void> => {
    event.preventDefault();
    if (form.current === null || busy) {
      return;
    }
    const backend = newBackend(new FormData(form.current), preset);
    work(true);
    complain(null);
    try {
      await addAsking(backend, model, trans);
      onDone(backend.name);
    } catch (error) {
      complain(refused(error));
      work(false);
    } finally {
      delete backend.key;
    }
  };

  return (
    <form
      ref={form}
      className="jp-gemini-Form"
      aria-label={trans.__('Add a backend')}
      autoComplete="off"
      onSubmit={event => void submit(event)}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onDone(null);
        }
      }}
    >
      <label htmlFor={`${id}-preset`}>{trans.__('Service')}</label>
      <HTMLSelect
        id={`${id}-preset`}
        name="preset"
        autoFocus
        value={name}
        onChange={event => {
          choose(event.target.value);
        }}
        options={[
          ...presets.map(one => ({ value: one.preset, label: one.title })),
          { value: CUSTOM, label: trans.__('Another address …') }
        ]}
      />
      {field('name', trans.__('Name'), {
        required: true,
        pattern: '[A-Za-z][A-Za-z0-9_\\-]*',
        title: trans.__('Letters, digits, - and _; as in -m name:model'),
        defaultValue: preset === undefined ? '' : unused(preset.preset, model)
      })}
      {preset !== undefined ? null : (
        <>
          <label htmlFor={`${id}-kind`}>{trans.__('Speaks')}</label>
          <HTMLSelect
            id={`${id}-kind`}
            name="kind"
            options={[
              { value: 'openai', label: trans.__('OpenAI-compatible') },
              { value: 'google', label: trans.__('Google (Gemini)') }
            ]}
          />
        </>
      )}
      {field('base_url', trans.__('Address'), {
        type: 'url',
        required: preset === undefined,
        placeholder: preset?.base_url ?? 'https://host/v1'
      })}
      {field('model', trans.__('Model'), { placeholder: trans.__('as the cell says') })}
      {field('project', trans.__('Project'), {
        required: preset?.needs_project === true,
        placeholder: trans.__('for its quota')
      })}
      {field('key', trans.__('Key'), {
        type: 'password',
        autoComplete: 'new-password',
        spellCheck: false,
        placeholder:
          preset?.key_env == null ? trans.__('none') : trans.__('or from %1', preset.key_env)
      })}
      <p className="jp-gemini-Form-note">
        {trans.__('The key goes to your keyring, never into a file of the project or a notebook.')}
      </p>
      <Problem problem={problem} />
      <div className="jp-gemini-Form-buttons">
        <button
          type="button"
          className="jp-Dialog-button jp-mod-reject jp-mod-styled"
          onClick={() => {
            onDone(null);
          }}
        >
          {trans.__('Cancel')}
        </button>
        <button
          type="submit"
          className="jp-Dialog-button jp-mod-accept jp-mod-styled"
          disabled={busy}
        >
          {trans.__('Add')}
        </button>
      </div>
    </form>
  );

  function field(
    what: string,
    label: string,
    more: React.InputHTMLAttributes<HTMLInputElement>
  ): React.JSX.Element {
    return (
      <React.Fragment key={what === 'key' ? what : `${what} ${name}`}>
        <label htmlFor={`${id}-${what}`}>{label}</label>
        <input id={`${id}-${what}`} name={what} type="text" className="jp-mod-styled" {...more} />
      </React.Fragment>
    );
  }
}

/** Add it; where the server has no keyring, the user is asked whether a file may keep the key. */
async function addAsking(
  backend: INewBackend,
  model: BackendsModel,
  trans: TranslationBundle
): Promise<void> {
  try {
    await model.add(backend);
  } catch (error) {
    if (refused(error).status !== NO_KEYRING) {
      throw error;
    }
    const answer = await showDialog({
      title: trans.__('Keep the key in a file?'),
      body: refused(error).message,
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Keep It in a File') })
      ]
    });
    if (!answer.button.accept) {
      throw error;
    }
    await model.add({ ...backend, key_file: true });
  }
}

/** The name, with a number behind it where a backend has it. */
function unused(name: string, model: BackendsModel): string {
  const taken = new Set(model.backends?.map(backend => backend.name));
  let free = name;
  for (let number = 2; taken.has(free); number++) {
    free = `${name}-${number}`;
  }
  return free;
}

/** What the form says, without the fields that were left empty. */
function newBackend(said: FormData, preset: IPreset | undefined): INewBackend {
  const text = (field: string): string => {
    const value = said.get(field);
    return typeof value === 'string' ? value.trim() : '';
  };
  const backend: INewBackend = { name: text('name') };
  if (preset !== undefined) {
    backend.preset = preset.preset;
  }
  for (const field of ['kind', 'base_url', 'model', 'project', 'key'] as const) {
    const value = text(field);
    if (value !== '') {
      backend[field] = value;
    }
  }
  return backend;
}
