/** Brings a notebook in its editor to what the server made of it, and leaves all else alone. */

import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel } from '@jupyterlab/notebook';
import { JSONExt, type PartialJSONObject, type PartialJSONValue } from '@lumino/coreutils';
import { joined, type ICell, type INotebook } from '../notebook';

type INotebookMetadata = INotebookModel['sharedModel']['metadata'];

/**
 * Change what differs between two states of a notebook. Sources can be undone.
 *
 * Returns false, and changes nothing, if a cell that would be changed is no longer what it was, or
 * cells came or went.
 */
export function apply(model: INotebookModel, before: INotebook, after: INotebook): boolean {
  const now = model.toJSON() as unknown as INotebook;
  if (before.cells.length !== after.cells.length || before.cells.length !== now.cells.length) {
    return false;
  }
  const changes = after.cells
    .map((cell, index) => ({ cell, index, old: before.cells[index], now: now.cells[index] }))
    .filter(one => !same(one.cell, one.old));
  if (!changes.every(one => same(one.old, one.now))) {
    return false;
  }
  for (const { cell, index, old } of changes) {
    changeCell(model, index, old ?? cell, cell);
  }
  if (!same(before.metadata, after.metadata)) {
    model.sharedModel.setMetadata(after.metadata as unknown as INotebookMetadata);
  }
  return true;
}

function changeCell(model: INotebookModel, index: number, old: ICell, cell: ICell): void {
  const there = model.cells.get(index);
  const source = joined(cell.source); // in no transaction of the notebook: a cell undoes its own
  if (source !== joined(old.source)) {
    there.sharedModel.setSource(source);
  }
  if (!same(old.metadata, cell.metadata)) {
    there.sharedModel.setMetadata(cell.metadata as PartialJSONObject);
  }
  if (there.type === 'code') {
    const { outputs } = there as ICodeCellModel;
    (cell.outputs ?? []).forEach((output, at) => {
      if (!same(output, old.outputs?.[at])) {
        outputs.set(at, output as Parameters<typeof outputs.set>[1]);
      }
    });
  }
}

function same(one: unknown, other: unknown): boolean {
  return JSONExt.deepEqual((one ?? null) as PartialJSONValue, (other ?? null) as PartialJSONValue);
}
