import '../quota/page';
import type { ICellModel } from '@jupyterlab/cells';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { NotebookModel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { beforeEach, describe, expect, it } from 'vitest';
import { Magics } from '../../src/editor/head';
import { INSERT, PanelCells, REPLACE, SELECTED } from '../../src/editor/panel';

interface ICellWidget {
  model: ICellModel;
  node: HTMLElement;
  readOnly: boolean;
}

/** A notebook as far as a panel's events need it: a real model, and an element for each cell. */
class Notebook {
  readonly model = new NotebookModel();

  constructor(...sources: string[]) {
    const cells = sources.map((source, index) => ({
      cell_type: source.startsWith('#') ? 'markdown' : 'code',
      id: `cell-${index}`,
      source,
      metadata: {},
      ...(source.startsWith('#') ? {} : { execution_count: null, outputs: [] })
    }));
    this.model.fromJSON({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
    this.model.sharedModel.clearUndoHistory();
  }

  private readonly _widgets = new Map<string, ICellWidget>();

  get content(): { widgets: ICellWidget[]; model: NotebookModel } {
    const widgets = Array.from(this.model.cells, model => {
      const widget = this._widgets.get(model.id) ?? {
        model,
        node: document.createElement('div'),
        readOnly: false
      };
      this._widgets.set(model.id, widget);
      return widget;
    });
    return { widgets, model: this.model };
  }

  cell(index: number): ICellWidget {
    return this.content.widgets[index] as ICellWidget;
  }

  get sources(): string[] {
    return Array.from(this.model.cells, cell => cell.sharedModel.getSource());
  }

  /** Show a panel in a cell's output. */
  show(index: number, name = 'gemini-magic-live-a'): Element {
    const output = outputOf(name);
    const { node } = this.cell(index);
    node.append(output);
    page.append(node);
    return panelOf(output);
  }
}

function panelOf(node: Element): Element {
  return node.getElementsByClassName('gemini-magic-panel')[0] as Element;
}

function outputOf(name: string, area = 'jp-OutputArea'): Element {
  const output = document.createElement('div');
  output.className = area;
  output.innerHTML = `<div class="gemini-magic-panel ${name}"><b>x</b></div>`;
  return output;
}

class Tracker {
  readonly activeCellChanged = new Signal<this, unknown>(this);
  readonly currentChanged = new Signal<this, unknown>(this);
  readonly notebooks: Notebook[] = [];
  currentWidget: Notebook | null = null;
  activeCell: object | null = null;

  forEach(visit: (notebook: Notebook) => void): void {
    this.notebooks.forEach(visit);
  }

  select(notebook: Notebook, index: number): void {
    this.currentWidget = notebook;
    this.activeCell = notebook.cell(index);
    this.activeCellChanged.emit(null);
  }
}

let tracker: Tracker;
let page: HTMLElement;

beforeEach(() => {
  page = document.createElement('div');
  document.body.replaceChildren(page);
  tracker = new Tracker();
  new PanelCells(tracker as unknown as INotebookTracker, () => new Magics()).listen(page);
});

function opened(...sources: string[]): Notebook {
  const notebook = new Notebook(...sources);
  tracker.notebooks.push(notebook);
  return notebook;
}

/** What the event's detail has then; null if nobody prevented it. */
function say(target: EventTarget, name: string, detail: object | null = {}): object | null {
  const event = new CustomEvent(name, { detail, bubbles: true, cancelable: true });
  return target.dispatchEvent(event) ? null : detail;
}

describe('the selected cell', () => {
  it('is the prompt that was active last', () => {
    const notebook = opened(
      '%%gemini\none',
      '# text',
      '%%gemini -t 1\ntwo',
      'x = 1',
      '%gemini panel'
    );
    const panel = notebook.show(4);
    expect(say(panel, SELECTED)).toEqual({});
    for (const index of [2, 0, 1, 3, 4]) {
      tracker.select(notebook, index);
    }
    expect(say(panel, SELECTED)).toEqual({ cell: 'cell-0', source: '%%gemini\none' });
    tracker.select(notebook, 2);
    expect(say(panel, SELECTED)).toEqual({ cell: 'cell-2', source: '%%gemini -t 1\ntwo' });
  });

  it('is what is there now', () => {
    const notebook = opened('x = 1', '%%gemini\none', '%gemini panel');
    const panel = notebook.show(2);
    tracker.select(notebook, 1);
    tracker.select(notebook, 0);
    notebook.model.cells.get(0).sharedModel.setSource('%%gemini\nnew');
    expect(say(panel, SELECTED)).toMatchObject({ source: '%%gemini\nnew' });
    notebook.model.sharedModel.deleteCell(0);
    expect(say(panel, SELECTED)).toMatchObject({ source: '%%gemini\none' });
    notebook.model.sharedModel.deleteCell(0);
    expect(say(panel, SELECTED)).toEqual({});
  });

  it('is one of the panel’s own notebook', () => {
    const notebook = opened('%%gemini\nmine', '%gemini panel');
    const other = opened('%%gemini\nother', '%gemini panel');
    const panel = notebook.show(1);
    tracker.select(notebook, 0);
    tracker.select(other, 0);
    expect(say(panel, SELECTED)).toMatchObject({ source: '%%gemini\nmine' });
    expect(say(other.show(1, 'gemini-magic-live-b'), SELECTED)).toMatchObject({
      source: '%%gemini\nother'
    });
  });

  it('is found from a view of the output elsewhere', () => {
    const notebook = opened('%%gemini\nmine', '%gemini panel');
    const other = opened('%gemini panel');
    notebook.show(1);
    other.show(0, 'gemini-magic-live-b');
    tracker.select(notebook, 0);
    const elsewhere = outputOf('gemini-magic-live-a');
    page.append(elsewhere);
    const view = panelOf(elsewhere);
    expect(say(view, SELECTED)).toMatchObject({ cell: 'cell-0' });
    expect(say(view, INSERT, { source: '%%gemini\nnew' })).not.toBeNull();
    expect(notebook.sources).toEqual(['%%gemini\nmine', '%gemini panel', '%%gemini\nnew']);
    expect(other.sources).toEqual(['%gemini panel']);
  });
});

describe('a new cell', () => {
  it('comes below the panel’s own, as one step to undo', () => {
    const notebook = opened('x = 1', '%gemini panel', 'y = 2');
    const panel = notebook.show(1);
    expect(say(panel, INSERT, { source: '# why\n%%gemini -t 1\nnew' })).not.toBeNull();
    expect(notebook.sources).toEqual([
      'x = 1',
      '%gemini panel',
      '# why\n%%gemini -t 1\nnew',
      'y = 2'
    ]);
    notebook.model.sharedModel.undo();
    expect(notebook.sources).toEqual(['x = 1', '%gemini panel', 'y = 2']);
  });

  it.each([{ source: 'import os' }, { source: '!%%gemini' }, { source: 1 }, {}, null])(
    'is no other than a prompt: %j',
    detail => {
      const notebook = opened('%gemini panel');
      expect(say(notebook.show(0), INSERT, detail)).toBeNull();
      expect(notebook.sources).toEqual(['%gemini panel']);
    }
  );
});

describe('a cell that is written back', () => {
  it('is one step to undo', () => {
    const notebook = opened('%%gemini\nold', '%gemini panel');
    const panel = notebook.show(1);
    const wish = { cell: 'cell-0', source: '%%gemini -t 1\nnew' };
    expect(say(panel, REPLACE, wish)).not.toBeNull();
    expect(notebook.sources[0]).toBe('%%gemini -t 1\nnew');
    notebook.model.cells.get(0).sharedModel.undo();
    expect(notebook.sources[0]).toBe('%%gemini\nold');
    expect(say(panel, REPLACE, { cell: 'cell-0', source: '%%gemini\nold' })).not.toBeNull();
  });

  it.each([
    { cell: 'cell-1', source: '%%gemini\nnew' }, // no prompt any more
    { cell: 'cell-2', source: '%%gemini\nnew' }, // read-only
    { cell: 'cell-3', source: '%%gemini\nnew' }, // text
    { cell: 'gone', source: '%%gemini\nnew' },
    { cell: 'cell-0', source: 'import os' },
    { source: '%%gemini\nnew' }
  ])('is a prompt that can be changed, and stays one: %j', wish => {
    const before = ['%%gemini\nold', 'x = 1', '%%gemini\nfirm', '# text', '%gemini panel'];
    const notebook = opened(...before);
    notebook.cell(2).readOnly = true;
    expect(say(notebook.show(4), REPLACE, wish)).toBeNull();
    expect(notebook.sources).toEqual(before);
  });
});

describe('events from elsewhere', () => {
  it('come to nothing', () => {
    const notebook = opened('%%gemini\none', '%gemini panel');
    const panel = notebook.show(1);
    tracker.select(notebook, 0);
    const wish = { source: '%%gemini\nnew' };
    const others = [outputOf('gemini-magic-live-x'), outputOf('gemini-magic-live-a', 'elsewhere')];
    page.append(...others);
    for (const target of [page, ...panel.children, ...others.map(panelOf)]) {
      expect(say(target, SELECTED)).toBeNull();
      expect(say(target, INSERT, wish)).toBeNull();
    }
    expect(notebook.sources).toHaveLength(2);
  });
});
