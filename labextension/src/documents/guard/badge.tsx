/** The badge of a notebook's toolbar: how many keys are in what was saved. */

import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { lockIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export class KeyBadge extends ReactWidget {
  constructor(
    private readonly trans: TranslationBundle,
    private readonly onClick: () => void
  ) {
    super();
    this.addClass('jp-gemini-KeyBadge');
    this.hide();
  }

  /** How many keys there are; without one nothing is shown. */
  set count(count: number) {
    this._count = count;
    this.setHidden(count === 0);
    this.update();
  }

  protected render(): React.JSX.Element {
    const label = this.trans._n('%1 key in this notebook', '%1 keys in this notebook', this._count);
    return (
      <button className="jp-gemini-Link" title={label} aria-label={label} onClick={this.onClick}>
        <lockIcon.react tag="span" width="14px" height="14px" />
        {this.trans._n('%1 key', '%1 keys', this._count)}
      </button>
    );
  }

  private _count = 0;
}
