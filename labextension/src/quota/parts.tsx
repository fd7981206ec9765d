/** What several views draw: bars, sparklines, sections that fold, and hooks on models. */

import { nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import type { IWindow, State } from './contract';
import { share, told } from './words';

const Words = React.createContext<TranslationBundle>(nullTranslator.load('gemini_magic'));

/** Gives the translated texts to all below. */
export const WordsProvider = Words.Provider;

export function useTrans(): TranslationBundle {
  return React.useContext(Words);
}

/** Draw again whenever the model changes. */
export function useModel(model: { stateChanged: ISignal<unknown, unknown> }): void {
  const [, redraw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    const changed = (): void => {
      redraw();
    };
    model.stateChanged.connect(changed);
    changed(); // It may have changed between drawing and this.
    return (): void => {
      model.stateChanged.disconnect(changed);
    };
  }, [model]);
}

/** Hold a model that works only for those who look, while `seen`. */
export function useHold(model: { hold(): IDisposable }, seen: boolean): void {
  React.useEffect(() => {
    if (!seen) {
      return undefined;
    }
    const held = model.hold();
    return (): void => {
      held.dispose();
    };
  }, [model, seen]);
}

/** How full something is, as colour and length; what it says is in its name. */
export function Bar(props: { share: number | null; state: State }): React.JSX.Element {
  return (
    <span className="jp-gemini-Bar" data-state={props.state} aria-hidden>
      <span style={{ width: `${(props.share ?? 0) * 100}%` }} />
    </span>
  );
}

/** The ARIA attributes of a window's meter, but its name. */
export function meterOf(window: IWindow, trans: TranslationBundle): React.AriaAttributes {
  return {
    'aria-valuemin': 0,
    'aria-valuemax': window.limit ?? Math.max(1, window.used),
    'aria-valuenow': Math.min(window.used, window.limit ?? window.used),
    'aria-valuetext': told(window, trans)
  };
}

/** One window as a line: its name, a bar, the numbers. */
export function WindowLine(props: { window: IWindow; of: string }): React.JSX.Element {
  const trans = useTrans();
  const { window } = props;
  return (
    <div
      className="jp-gemini-Window"
      data-state={window.state}
      role="meter"
      aria-label={trans.__('%1 of %2', window.window, props.of)}
      title={window.note}
      {...meterOf(window, trans)}
    >
      <span className="jp-gemini-Window-name">{window.window}</span>
      <Bar share={share(window)} state={window.state} />
      <span className="jp-gemini-Window-count">
        {window.used.toLocaleString()}
        {window.limit === null ? '' : ` / ${window.limit.toLocaleString()}`}
      </span>
    </div>
  );
}

/** A part of the side bar that folds; what is folded is not drawn, and costs nothing. */
export function Section(props: {
  id: string;
  title: string;
  folded: boolean;
  onFold: (id: string, folded: boolean) => void;
  tools?: React.ReactNode;
  children: React.ReactNode;
}): React.JSX.Element {
  const { id, title, folded } = props;
  const Caret = folded ? caretRightIcon : caretDownIcon;
  return (
    <section className="jp-gemini-Section" data-section={id} aria-label={title}>
      <header>
        <h3>
          <button
            type="button"
            aria-expanded={!folded}
            onClick={() => {
              props.onFold(id, !folded);
            }}
          >
            <Caret.react tag="span" width="16px" />
            {title}
          </button>
        </h3>
        {folded ? null : <div className="jp-gemini-Section-tools">{props.tools}</div>}
      </header>
      {folded ? null : <div className="jp-gemini-Section-body">{props.children}</div>}
    </section>
  );
}

/** What went wrong, in one line, and what to do next. */
export function Problem(props: {
  problem: { message: string; next: string | null } | null;
}): React.JSX.Element | null {
  const { problem } = props;
  return problem === null ? null : (
    <p className="jp-gemini-Problem" role="alert">
      {problem.message}
      {problem.next === null ? null : <span> {problem.next}</span>}
    </p>
  );
}
