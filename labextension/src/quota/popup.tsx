/** All meters beside the status bar's one, while a pointer or the focus is on it. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import type { ILive } from './live';
import { BudgetLine, MeterBox } from './meters';
import { useModel, WordsProvider } from './parts';
import { clock } from './words';

export class MetersPopup extends ReactWidget {
  constructor(
    private readonly live: ILive,
    private readonly trans: TranslationBundle,
    private readonly anchor: HTMLElement
  ) {
    super();
    this.addClass('jp-gemini-Popup');
    this.addClass('jp-ThemedContainer');
    this.node.setAttribute('role', 'tooltip');
  }

  /** Show it above a status bar or below a toolbar; its right edge is that of the anchor. */
  launch(): void {
    const { top, right, bottom } = this.anchor.getBoundingClientRect();
    const { style } = this.node;
    style.right = `${Math.max(0, window.innerWidth - right)}px`;
    if (top > window.innerHeight / 2) {
      style.bottom = `${window.innerHeight - top}px`;
      style.maxHeight = `${top}px`;
    } else {
      style.top = `${bottom}px`;
      style.maxHeight = `${window.innerHeight - bottom}px`;
    }
    Widget.attach(this, document.body);
  }

  protected override render(): React.JSX.Element {
    return (
      <WordsProvider value={this.trans}>
        <AllMeters live={this.live} trans={this.trans} />
      </WordsProvider>
    );
  }
}

function AllMeters(props: { live: ILive; trans: TranslationBundle }): React.JSX.Element | null {
  const { live, trans } = props;
  useModel(live);
  const quota = live.quota;
  if (quota === null) {
    return null;
  }
  return (
    <>
      {quota.meters.map(meter => (
        <MeterBox key={`${meter.backend} ${meter.model}`} meter={meter} />
      ))}
      {quota.budget.map(budget => (
        <BudgetLine key={`${budget.backend} ${budget.period}`} budget={budget} />
      ))}
      <footer>
        {live.state === 'live'
          ? trans.__('Over all kernels of this server')
          : trans.__('Not connected; as of %1', clock(quota.at))}
      </footer>
    </>
  );
}
