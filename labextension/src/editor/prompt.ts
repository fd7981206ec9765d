/** One %%gemini cell of a notebook, as the tools change and run it. */

import type { CodeCell } from '@jupyterlab/cells';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { downTo, type ICodeOf } from './codeModel';
import { valueOf, withOptions, type Wish } from './edits';
import type { FindOption, Magics } from './head';

export class Prompt {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _cell: CodeCell,
    private readonly _magics: Magics
  ) {}

  get node(): HTMLElement {
    return this._cell.node;
  }

  /** Where it stands: the notebook's path, its file down to the cell, and the cell's id. */
  get place(): ICodeOf {
    const { model, path } = this._panel.context;
    const { id } = this._cell.model;
    const ids = this._panel.content.widgets.map(one => one.model.id);
    return { path, content: downTo(id, ids, model.toJSON() as { cells: object[] }), cell: id };
  }

  /** What the cell gives an option; null if that is nothing. */
  value(option: string, find: FindOption): string | null {
    return valueOf(this._source, option, this._magics, find);
  }

  /** Give the cell these options, as one step to undo. */
  set(wishes: readonly Wish[], find: FindOption): void {
    const edit = withOptions(this._source, wishes, this._magics, find);
    if (edit !== null) {
      this._cell.model.sharedModel.updateSource(edit.from, edit.to, edit.insert);
    }
  }

  async run(): Promise<void> {
    const { content, sessionContext } = this._panel;
    await NotebookActions.runCells(content, [this._cell], sessionContext);
  }

  /** Bring the keyboard back to the notebook. */
  focus(): void {
    this._panel.content.activate();
  }

  private get _source(): string {
    return this._cell.model.sharedModel.getSource();
  }
}
