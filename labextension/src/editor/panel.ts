/**
 * Lets a panel, which is a widget in a cell's output, reach the cells of its notebook.
 *
 * The panel's script (`widgets/panel.js` of the Python package) dispatches events on the panel's
 * element; here they are prevented where something came of them. Nothing is ever run.
 */

import type { Cell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { isPrompt } from './activeCell';
import { headOf, type Magics } from './head';

/** Fills in `cell` and `source` of the %%gemini cell that is selected, or was last. */
export const SELECTED = 'gemini-magic:selected';
/** Inserts a cell with the text `source` below the panel's own. */
export const INSERT = 'gemini-magic:insert';
/** Gives the %%gemini cell with the id `cell` the text `source`, as one step to undo. */
export const REPLACE = 'gemini-magic:replace';

const PANEL = '.jp-OutputArea .gemini-magic-panel';

interface IDetail {
  cell?: unknown;
  source?: unknown;
}

export class PanelCells {
  constructor(
    private readonly _tracker: INotebookTracker,
    private readonly _magics: () => Magics
  ) {
    _tracker.activeCellChanged.connect(this._onActive, this);
    _tracker.currentChanged.connect(this._onActive, this);
    this._onActive();
  }

  /** Hear the panels of a page. */
  listen(page: EventTarget): void {
    for (const name of [SELECTED, INSERT, REPLACE]) {
      page.addEventListener(name, event => {
        if (this._done(event as CustomEvent<IDetail | null>)) {
          event.preventDefault();
        }
      });
    }
  }

  private _done({ type, target, detail }: CustomEvent<IDetail | null>): boolean {
    const view = target instanceof Element && target.matches(PANEL) ? target : null;
    const place = view === null ? null : this._placeOf(view);
    if (place === null || detail === null) {
      return false;
    }
    if (type === SELECTED) {
      const cell = this._selected(place.notebook);
      detail.cell = cell?.model.id;
      detail.source = cell?.model.sharedModel.getSource();
      return true;
    }
    const { source } = detail;
    if (typeof source !== 'string' || headOf(source, this._magics()) === null) {
      return false;
    }
    return type === INSERT
      ? insertBelow(place.notebook, place.cell, source)
      : this._replace(place.notebook, detail.cell, source);
  }

  private _replace(notebook: NotebookPanel, id: unknown, source: string): boolean {
    const cell = notebook.content.widgets.find(one => one.model.id === id);
    if (cell === undefined || cell.readOnly || !isPrompt(cell, this._magics())) {
      return false;
    }
    if (cell.model.sharedModel.getSource() !== source) {
      cell.model.sharedModel.setSource(source);
    }
    return true;
  }

  /** The notebook and the cell that a panel is an output of, though it may be shown elsewhere. */
  private _placeOf(view: Element): { notebook: NotebookPanel; cell: Cell } | null {
    const name = Array.from(view.classList).find(one => one.startsWith('gemini-magic-live-'));
    const holds = ({ node }: Cell): boolean =>
      node.contains(view) || (name !== undefined && node.getElementsByClassName(name).length > 0);
    let found: { notebook: NotebookPanel; cell: Cell } | null = null;
    this._tracker.forEach(notebook => {
      const cell = notebook.content.widgets.find(holds);
      if (cell !== undefined && (found === null || cell.node.contains(view))) {
        found = { notebook, cell };
      }
    });
    return found;
  }

  /** The prompt that was active last: a click into a panel makes the panel's cell active. */
  private _selected(notebook: NotebookPanel): Cell | null {
    const cells = new Map(notebook.content.widgets.map(cell => [cell.model.id, cell]));
    const ids = (this._active.get(notebook) ?? []).filter(id => cells.has(id));
    this._active.set(notebook, ids);
    const id = ids.find(one => isPrompt(cells.get(one) ?? null, this._magics()));
    return id === undefined ? null : (cells.get(id) ?? null);
  }

  private _onActive(): void {
    const { currentWidget, activeCell } = this._tracker;
    if (currentWidget !== null && activeCell !== null) {
      const { id } = activeCell.model;
      const before = this._active.get(currentWidget) ?? [];
      this._active.set(currentWidget, [id, ...before.filter(one => one !== id)]);
    }
  }

  /** The ids of a notebook's cells that were active, the last one first. */
  private readonly _active = new WeakMap<NotebookPanel, string[]>();
}

function insertBelow({ content }: NotebookPanel, cell: Cell, source: string): boolean {
  const notebook = content.model?.sharedModel;
  const index = content.widgets.indexOf(cell) + 1;
  notebook?.insertCell(index, { cell_type: 'code', source });
  return notebook !== undefined;
}
