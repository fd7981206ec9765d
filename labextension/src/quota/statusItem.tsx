/** The tightest window as one small meter: in the status bar, or in Notebook 7's toolbar. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { ILive } from './live';
import { Bar, meterOf, useHold, useModel, WordsProvider } from './parts';
import { MetersPopup } from './popup';
import { share } from './words';

/** Milliseconds that a pointer rests before the pop-up comes, and that it may stay away. */
const REST = 300;
const AWAY = 200;

export class StatusItem extends ReactWidget {
  /** @param onClick - what a click does: show the side bar */
  constructor(
    private readonly live: ILive,
    private readonly trans: TranslationBundle,
    private readonly onClick: () => void
  ) {
    super();
    this.addClass('jp-gemini-StatusItem');
    live.stateChanged.connect(this.look);
    this.look();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.live.stateChanged.disconnect(this.look);
    this.closePopup();
    super.dispose();
  }

  handleEvent(event: Event): void {
    const focus = event.type === 'focusin' && this.node.querySelector(':focus-visible') !== null;
    if (event.type === 'pointerenter' || focus) {
      this.later(REST, () => {
        this.openPopup();
      });
    } else if (event.type === 'pointerleave' || event.type === 'focusout') {
      this.later(AWAY, () => {
        this.closePopup();
      });
    } else if (event.type === 'click' || (event as KeyboardEvent).key === 'Escape') {
      window.clearTimeout(this.timer);
      this.closePopup();
    }
  }

  protected override onAfterAttach(message: Parameters<ReactWidget['onAfterAttach']>[0]): void {
    super.onAfterAttach(message);
    for (const type of EVENTS) {
      this.node.addEventListener(type, this);
    }
  }

  protected override onBeforeDetach(message: Parameters<ReactWidget['onBeforeDetach']>[0]): void {
    for (const type of EVENTS) {
      this.node.removeEventListener(type, this);
    }
    window.clearTimeout(this.timer);
    this.closePopup();
    super.onBeforeDetach(message);
  }

  protected override onAfterShow(): void {
    this.update();
  }

  protected override onAfterHide(): void {
    this.closePopup();
    this.update();
  }

  protected override render(): React.JSX.Element {
    return (
      <WordsProvider value={this.trans}>
        <Meter live={this.live} seen={this.isVisible} trans={this.trans} onClick={this.onClick} />
      </WordsProvider>
    );
  }

  /** Vanish where there is nothing to say; hidden by CSS alone, so that news still come. */
  private readonly look = (): void => {
    const { quota } = this.live;
    this.toggleClass('jp-gemini-mod-empty', quota?.text == null || quota.tightest === null);
  };

  private later(pause: number, work: () => void): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(work, pause);
  }

  private openPopup(): void {
    if (this.popup === null && this.live.quota !== null && this.isVisible) {
      this.popup = new MetersPopup(this.live, this.trans, this.node);
      this.popup.node.addEventListener('pointerenter', () => {
        window.clearTimeout(this.timer);
      });
      this.popup.node.addEventListener('pointerleave', this);
      this.popup.launch();
    }
  }

  private closePopup(): void {
    this.popup?.dispose();
    this.popup = null;
  }

  private popup: MetersPopup | null = null;
  private timer = 0;
}

const EVENTS = ['pointerenter', 'pointerleave', 'focusin', 'focusout', 'click', 'keydown'];

function Meter(props: {
  live: ILive;
  seen: boolean;
  trans: TranslationBundle;
  onClick: () => void;
}): React.JSX.Element | null {
  const { live, trans } = props;
  useModel(live);
  useHold(live, props.seen);
  const { quota } = live;
  if (quota?.text == null || quota.tightest === null) {
    return null;
  }
  const window = quota.tightest;
  const known = live.state !== 'lost' && live.state !== 'missing';
  const state = known ? window.state : 'unknown';
  return (
    <div className="jp-gemini-StatusItem-body" data-state={state}>
      <button
        type="button"
        aria-label={trans.__('%1. Show the Gemini side bar', quota.text)}
        onClick={props.onClick}
      >
        {quota.text}
      </button>
      <div role="meter" aria-label={trans.__('Gemini quota')} {...meterOf(window, trans)}>
        <Bar share={share(window)} state={state} />
      </div>
    </div>
  );
}
