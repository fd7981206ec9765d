/** To the cell that asked: its notebook in front, the cell active and in sight. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import { type INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

export class Jumper {
  /** @param activate - brings the widget with this id to the front */
  constructor(
    private readonly documents: IDocumentManager | null,
    private readonly tracker: INotebookTracker | null,
    private readonly activate: (id: string) => void
  ) {}

  /**
   * Whether there may be a way to the cell.
   *
   * @param path - of the notebook below the server's root; null looks in all that are open
   */
  canGo(path: string | null, cellId: string | null): boolean {
    return cellId !== null && (path !== null || this.find(path, cellId) !== undefined);
  }

  /** Open the notebook where it is closed. @returns whether the cell was found */
  async go(path: string | null, cellId: string): Promise<boolean> {
    const panel = this.find(path, cellId) ?? this.open(path);
    if (!(panel instanceof NotebookPanel)) {
      return false;
    }
    await panel.revealed;
    if (panel.isDisposed) {
      return true; // Notebook 7 opened it in a page of its own.
    }
    this.activate(panel.id);
    const index = place(panel, cellId);
    const cell = panel.content.widgets[index];
    if (cell === undefined) {
      return false;
    }
    panel.content.deselectAll();
    panel.content.mode = 'command';
    panel.content.activeCellIndex = index;
    await panel.content.scrollToCell(cell, 'center');
    return true;
  }

  private find(path: string | null, cellId: string): NotebookPanel | undefined {
    return this.tracker?.find(panel =>
      path === null ? place(panel, cellId) >= 0 : panel.context.path === path
    );
  }

  private open(path: string | null): unknown {
    return path === null ? undefined : this.documents?.openOrReveal(path);
  }
}

function place(panel: NotebookPanel, cellId: string): number {
  return panel.content.widgets.findIndex(cell => cell.model.id === cellId);
}
