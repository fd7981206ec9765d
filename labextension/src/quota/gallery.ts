/** The pictures of the notebook in front: read from its outputs, only while somebody looks. */

import { isCodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { VDomModel } from '@jupyterlab/ui-components';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { type IImageBundle, pictureOf } from './pictures';

/** Milliseconds between two looks at a notebook that changes: an answer streams 20 times a second. */
const PAUSE = 500;

export interface IPicture extends IImageBundle {
  cellId: string;
  /** Of its cell in the notebook, from 1 on. */
  cell: number;
  /** Among the pictures of its cell, from 1 on. */
  ordinal: number;
}

export class GalleryModel extends VDomModel {
  pictures: IPicture[] = [];
  /** The path of the notebook that they are of. */
  path: string | null = null;

  constructor(
    private readonly tracker: INotebookTracker | null,
    private readonly pause = PAUSE
  ) {
    super();
  }

  override dispose(): void {
    this.holders = 0;
    this.stop();
    super.dispose();
  }

  /** Keep the pictures up to date until disposed. */
  hold(): IDisposable {
    this.holders += 1;
    if (this.holders === 1) {
      this.tracker?.currentChanged.connect(this.turn);
      this.turn();
    }
    return new DisposableDelegate(() => {
      this.holders -= 1;
      if (this.holders === 0) {
        this.stop();
      }
    });
  }

  private readonly turn = (): void => {
    const panel = this.tracker?.currentWidget ?? null;
    if (panel !== this.panel) {
      this.leave();
      this.panel = panel;
      panel?.context.model.contentChanged.connect(this.soon);
      panel?.disposed.connect(this.turn);
    }
    this.read();
  };

  private leave(): void {
    this.panel?.context.model.contentChanged.disconnect(this.soon);
    this.panel?.disposed.disconnect(this.turn);
    this.panel = null;
  }

  private stop(): void {
    this.tracker?.currentChanged.disconnect(this.turn);
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.leave();
  }

  private readonly soon = (): void => {
    if (this.timer === 0) {
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this.read();
      }, this.pause);
    }
  };

  private read(): void {
    const panel = this.panel;
    const found = panel === null || panel.isDisposed ? [] : picturesOf(panel);
    const path = panel === null || panel.isDisposed ? null : panel.context.path;
    const same =
      path === this.path &&
      found.length === this.pictures.length &&
      found.every((one, i) => {
        const old = this.pictures.at(i);
        return one.data === old?.data && one.cellId === old.cellId && one.cell === old.cell;
      });
    if (!same) {
      this.pictures = found;
      this.path = path;
      this.stateChanged.emit(undefined);
    }
  }

  private holders = 0;
  private timer = 0;
  private panel: NotebookPanel | null = null;
}

function picturesOf(panel: NotebookPanel): IPicture[] {
  const found: IPicture[] = [];
  const cells = panel.context.model.cells;
  for (let index = 0; index < cells.length; index++) {
    const cell = cells.get(index);
    if (!isCodeCellModel(cell)) {
      continue;
    }
    let ordinal = 0;
    for (let place = 0; place < cell.outputs.length; place++) {
      const picture = pictureOf(cell.outputs.get(place).data);
      if (picture !== null) {
        ordinal += 1;
        found.push({ ...picture, cellId: cell.id, cell: index + 1, ordinal });
      }
    }
  }
  return found;
}
