/** Shows a migration: its places with their verdicts, and the changes of the code. */

import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Tick } from '../tick';
import { DiffTable } from '../diff/view';
import type { IPlace, Verdict } from '../routes';
import type { MigrationModel } from './model';

interface IProps {
  model: MigrationModel;
  trans: TranslationBundle;
  beside: boolean;
  /** The user's answers. */
  apply: () => void;
  cancel: () => void;
}

export class MigrationView extends ReactWidget {
  constructor(private readonly props: IProps) {
    super();
    this.addClass('jp-gemini-Migration');
  }

  protected render(): React.JSX.Element {
    return (
      <UseSignal signal={this.props.model.changed}>{() => <Migration {...this.props} />}</UseSignal>
    );
  }
}

function Migration({ model, trans, beside, apply, cancel }: IProps): React.JSX.Element {
  const [columns, setColumns] = React.useState(beside);
  const { migration, problem, news, busy } = model;
  const written = migration?.written === true;
  return (
    <>
      <div className="jp-gemini-Migration-bar" role="toolbar" aria-label={trans.__('Migration')}>
        <button className="jp-mod-styled jp-mod-accept" disabled={!model.applies} onClick={apply}>
          {trans.__('Apply')}
        </button>
        <button className="jp-mod-styled jp-mod-reject" onClick={cancel}>
          {written ? trans.__('Close') : trans.__('Cancel')}
        </button>
        <Tick label={trans.__('Side by side')} checked={columns} onChange={setColumns} />
        <span role="status" aria-live="polite">
          {busy ? trans.__('Reading …') : summary(model, trans)}
        </span>
      </div>
      {problem !== null && <p className="jp-gemini-Problem">{problem}</p>}
      {news !== null && <p className="jp-gemini-Question">{news}</p>}
      {migration !== null && (
        <>
          <Places places={migration.places} trans={trans} />
          <DiffTable
            diff={migration.diff}
            label={trans.__('Changes of %1', model.path)}
            beside={columns}
            trans={trans}
          />
        </>
      )}
    </>
  );
}

function summary(model: MigrationModel, trans: TranslationBundle): string {
  const { migration, counts } = model;
  if (migration === null) {
    return '';
  }
  const places = trans.__(
    '%1 done, %2 assisted, %3 left',
    counts.done,
    counts.assisted,
    counts.left
  );
  if (migration.written) {
    return trans.__('Applied: %1', places);
  }
  return migration.diff === '' ? trans.__('Nothing to change: %1', places) : places;
}

function Places({
  places,
  trans
}: {
  places: IPlace[];
  trans: TranslationBundle;
}): React.JSX.Element {
  const verdicts: Record<Verdict, string> = {
    done: trans.__('done'),
    assisted: trans.__('assisted'),
    left: trans.__('left')
  };
  if (places.length === 0) {
    return <></>;
  }
  return (
    <div className="jp-gemini-Places" tabIndex={0} role="region" aria-label={trans.__('Verdicts')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('Line')}</th>
            <th scope="col">{trans.__('Verdict')}</th>
            <th scope="col">{trans.__('Why')}</th>
          </tr>
        </thead>
        <tbody>
          {places.map((place, index) => (
            <tr key={index} className={`jp-mod-${place.verdict}`}>
              <td>
                <button className="jp-gemini-Link" onClick={goTo(place)}>
                  {where(place, trans)}
                </button>
              </td>
              <td>{verdicts[place.verdict]}</td>
              <td>{place.why}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function where(place: IPlace, trans: TranslationBundle): string {
  return typeof place.index === 'number'
    ? trans.__('cell %1, line %2', place.index + 1, place.line)
    : trans.__('line %1', place.line);
}

/** Scroll the changes to a place's line, if it is among them. */
function goTo(place: IPlace): React.MouseEventHandler {
  return event => {
    const view = event.currentTarget.closest('.jp-gemini-Migration');
    const lines = [...(view?.querySelectorAll<HTMLElement>('[data-line]') ?? [])];
    const cell = typeof place.cell === 'string' && place.cell !== '' ? `[${place.cell}]` : '';
    const line = lines.find(
      one =>
        one.dataset['line'] === String(place.line) && (one.dataset['file'] ?? '').endsWith(cell)
    );
    for (const one of lines) {
      one.classList.toggle('jp-mod-current', one === line);
    }
    line?.scrollIntoView({ block: 'center' });
  };
}
