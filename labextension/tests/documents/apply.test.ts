import { YCodeCell, YNotebook } from '@jupyter/ydoc';
import type { INotebookModel } from '@jupyterlab/notebook';
import { describe, expect, it } from 'vitest';
import { apply } from '../../src/documents/guard/apply';
import type { INotebook } from '../../src/documents/notebook';

/** As much of Lab's model as is needed: loading Lab's own takes half a minute. */
class Model {
  readonly sharedModel = new YNotebook();
  readonly cells = {
    get: (index: number) => {
      const sharedModel = this.sharedModel.cells[index];
      const set = (at: number, output: never): void => {
        (sharedModel as YCodeCell).updateOutputs(at, at + 1, [output]);
      };
      return { type: sharedModel?.cell_type, sharedModel, outputs: { set } };
    }
  };

  source(index: number): string {
    return this.sharedModel.cells[index]?.getSource() ?? '';
  }

  toJSON(): INotebook {
    return this.sharedModel.toJSON();
  }
}

function changed(model: Model, before: INotebook, after: INotebook): boolean {
  return apply(model as unknown as INotebookModel, before, after);
}

function opened(): { model: Model; before: INotebook } {
  const model = new Model();
  model.sharedModel.fromJSON({
    cells: [
      {
        id: 'a',
        cell_type: 'code',
        source: 'key = "K"',
        metadata: { note: 'K' },
        execution_count: 1,
        outputs: [
          { output_type: 'stream', name: 'stdout', text: 'K\n' },
          { output_type: 'display_data', data: { 'text/plain': 'kept' }, metadata: {} }
        ]
      },
      { id: 'b', cell_type: 'markdown', source: 'about K', metadata: {} }
    ],
    metadata: { title: 'K' },
    nbformat: 4,
    nbformat_minor: 5
  });
  return { model, before: model.toJSON() };
}

/** As the server does: in every text. */
function redacted(notebook: INotebook): INotebook {
  return JSON.parse(JSON.stringify(notebook).replaceAll('K', '<key>')) as INotebook;
}

describe('what the server made of a notebook', () => {
  it('is brought into the editor: sources, outputs, metadata', () => {
    const { model, before } = opened();
    expect(changed(model, before, redacted(before))).toBe(true);
    expect(model.toJSON()).toEqual(redacted(before));
  });

  it('can be undone where a user has typed', () => {
    const { model, before } = opened();
    model.sharedModel.clearUndoHistory();
    changed(model, before, redacted(before));
    model.sharedModel.cells[0]?.undo();
    expect(model.source(0)).toBe('key = "K"');
  });

  it('leaves what was changed meanwhile elsewhere', () => {
    const { model, before } = opened();
    model.sharedModel.cells[1]?.setSource('typed');
    const after = redacted(before);
    const [first] = after.cells;
    const half = { ...before, cells: [first, before.cells[1]] } as INotebook;
    expect(changed(model, before, half)).toBe(true);
    expect(model.source(0)).toBe('key = "<key>"');
    expect(model.source(1)).toBe('typed');
  });

  it('is not brought in where that was changed meanwhile', () => {
    const { model, before } = opened();
    model.sharedModel.cells[0]?.setSource('typed');
    expect(changed(model, before, redacted(before))).toBe(false);
    expect(model.source(1)).toBe('about K');
    model.sharedModel.deleteCell(0);
    expect(changed(model, before, redacted(before))).toBe(false);
    expect(changed(model, before, { ...before, cells: [] })).toBe(false);
  });
});
