import './page';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { NotebookModel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GalleryModel } from '../../src/quota/gallery';

const picture = (data: string): object => ({
  output_type: 'display_data',
  data: { 'image/png': data, 'text/plain': 'a picture' },
  metadata: {}
});
const cell = (id: string, ...outputs: object[]): object => ({
  cell_type: 'code',
  id,
  source: '',
  metadata: {},
  execution_count: null,
  outputs
});

/** A notebook panel as far as the gallery looks at it. */
class Panel {
  readonly disposed = new Signal<this, void>(this);
  readonly context: { path: string; model: NotebookModel };
  isDisposed = false;

  constructor(path: string, ...cells: object[]) {
    const model = new NotebookModel();
    model.fromJSON({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 } as never);
    this.context = { path, model };
  }
}

class Tracker {
  readonly currentChanged = new Signal<this, unknown>(this);
  currentWidget: Panel | null = null;

  turn(panel: Panel | null): void {
    this.currentWidget = panel;
    this.currentChanged.emit(panel);
  }
}

let tracker: Tracker;
let gallery: GalleryModel;
let changes: number;

beforeEach(() => {
  vi.useFakeTimers();
  tracker = new Tracker();
  gallery = new GalleryModel(tracker as unknown as INotebookTracker, 500);
  changes = 0;
  gallery.stateChanged.connect(() => {
    changes += 1;
  });
});

afterEach(() => {
  gallery.dispose();
  vi.useRealTimers();
});

describe('the gallery', () => {
  it('has the pictures of the notebook in front, with their cells', () => {
    const markdown = { cell_type: 'markdown', id: 'm', source: '', metadata: {} };
    tracker.turn(new Panel('a.ipynb', markdown, cell('x', picture('aa'), picture('bb'))));
    gallery.hold();
    expect(gallery.pictures).toEqual([
      { mime: 'image/png', data: 'aa', cellId: 'x', cell: 2, ordinal: 1 },
      { mime: 'image/png', data: 'bb', cellId: 'x', cell: 2, ordinal: 2 }
    ]);
    tracker.turn(new Panel('b.ipynb', cell('y')));
    expect([gallery.path, gallery.pictures]).toEqual(['b.ipynb', []]);
    tracker.turn(null);
    expect(gallery.path).toBeNull();
  });

  it('looks at nothing before somebody looks at it', () => {
    tracker.turn(new Panel('a.ipynb', cell('x', picture('aa'))));
    expect(gallery.pictures).toEqual([]);
    const held = gallery.hold();
    expect(gallery.pictures).toHaveLength(1);
    held.dispose();
    tracker.turn(null);
    expect(gallery.pictures).toHaveLength(1);
  });

  it('follows outputs twice a second, and says so only when pictures change', async () => {
    const panel = new Panel('a.ipynb', cell('x'));
    tracker.turn(panel);
    gallery.hold();
    changes = 0;
    const { outputs } = panel.context.model.cells.get(0) as unknown as {
      outputs: { add(output: object): void };
    };
    for (let word = 0; word < 20; word++) {
      outputs.add({ output_type: 'stream', name: 'stdout', text: `${word} ` });
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(changes).toBe(0);
    outputs.add(picture('cc'));
    await vi.advanceTimersByTimeAsync(500);
    expect([changes, gallery.pictures.length]).toEqual([1, 1]);
  });
});
