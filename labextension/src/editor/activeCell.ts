/** The %%gemini cell that commands mean: the active one of the notebook in front. */

import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { Signal, type ISignal } from '@lumino/signaling';
import { headOf, type Magics } from './head';
import { Prompt } from './prompt';

/** Whether a cell is one of ours. */
export function isPrompt(cell: Cell | null, magics: Magics): boolean {
  return cell?.model.type === 'code' && headOf(cell.model.sharedModel.getSource(), magics) !== null;
}

export class ActiveCell {
  constructor(
    private readonly _tracker: INotebookTracker,
    private readonly _magics: () => Magics
  ) {
    _tracker.activeCellChanged.connect(this._onActive, this);
    _tracker.currentChanged.connect(this._onActive, this);
    this._onActive();
  }

  /** Emitted when the answer to `isPrompt` is another one. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether the active cell is one of ours. */
  get isPrompt(): boolean {
    return isPrompt(this._tracker.activeCell, this._magics());
  }

  /** The cell, which stays the same whatever gets active then; null if it is none of ours. */
  get prompt(): Prompt | null {
    const { currentWidget, activeCell } = this._tracker;
    return currentWidget !== null && this.isPrompt
      ? new Prompt(currentWidget, activeCell as CodeCell, this._magics())
      : null;
  }

  /** Look again: the cell is another one, its text is, or the magics' names are. */
  refresh(): void {
    const is = this.isPrompt;
    if (is !== this._was) {
      this._was = is;
      this._changed.emit();
    }
  }

  private _onActive(): void {
    this._watched?.changed.disconnect(this.refresh, this);
    this._watched = this._tracker.activeCell?.model.sharedModel ?? null;
    this._watched?.changed.connect(this.refresh, this);
    this.refresh();
  }

  private _watched: Cell['model']['sharedModel'] | null = null;
  private _was = false;
  private readonly _changed = new Signal<this, void>(this);
}
