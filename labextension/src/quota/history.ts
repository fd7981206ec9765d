/** What each meter's model used in the last day and fortnight, for its sparklines. */

import { VDomModel } from '@jupyterlab/ui-components';
import { ask } from '../request';
import type { IHistory, IMeter } from './contract';

/** Milliseconds that pass at least before the same is asked again. */
const PAUSE = 5_000;

export class HistoryModel extends VDomModel {
  constructor(
    private readonly server: typeof ask = ask,
    private readonly pause = PAUSE
  ) {
    super();
  }

  override dispose(): void {
    window.clearTimeout(this.timer);
    super.dispose();
  }

  of(meter: IMeter): IHistory | undefined {
    return this.known.get(key(meter));
  }

  /** Bring the history of these up to date: at once, or when the pause since the last is over. */
  refresh(meters: IMeter[]): void {
    this.wanted = meters;
    if (this.timer === 0) {
      this.timer = window.setTimeout(
        () => void this.load(),
        Math.max(0, this.asked + this.pause - Date.now())
      );
    }
  }

  private async load(): Promise<void> {
    this.asked = Date.now();
    const meters = this.wanted;
    const found = await Promise.all(
      meters.map(async ({ backend, model }) => {
        const about = new URLSearchParams({ model, backend }).toString();
        return this.server<IHistory>(`quota/history?${about}`).catch(() => undefined);
      })
    );
    this.timer = 0;
    if (this.isDisposed) {
      return;
    }
    meters.forEach((meter, index) => {
      const history = found[index];
      if (history !== undefined) {
        this.known.set(key(meter), history);
      }
    });
    this.stateChanged.emit(undefined);
    if (this.wanted !== meters) {
      this.refresh(this.wanted); // They changed while we asked.
    }
  }

  private readonly known = new Map<string, IHistory>();
  private wanted: IMeter[] = [];
  private asked = -Infinity;
  private timer = 0;
}

function key(meter: IMeter): string {
  return JSON.stringify([meter.backend, meter.model]);
}
