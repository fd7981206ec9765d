/** A cell as a program: which target is looked at, and what the server made of the cell for it. */

import { Signal, type ISignal } from '@lumino/signaling';
import { told } from '../documents/problem';
import type { IPreview, ITarget, ITargets } from '../documents/routes';
import type { ask as askServer } from '../request';

/** What is exported: the notebook down to a cell, and that cell's id. */
export interface ICodeOf {
  readonly path: string;
  readonly content: unknown;
  readonly cell: string;
}

/**
 * The notebook down to a cell, each cell with its id: files before format 4.5 have none.
 *
 * @param ids - of all cells, in their order
 */
export function downTo(
  cell: string,
  ids: readonly string[],
  file: { cells: readonly object[] }
): unknown {
  const cells = file.cells.slice(0, ids.indexOf(cell) + 1);
  return { ...file, cells: cells.map((one, index) => ({ ...one, id: ids[index] })) };
}

export class CodeModel {
  constructor(
    private readonly _of: ICodeOf,
    private readonly _ask: typeof askServer
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The programs that there are; empty until they are known. */
  targets: readonly ITarget[] = [];
  target = '';
  /** What the program's file would be called. */
  name = '';
  /** The program; empty while it is asked for, or where there is none. */
  text = '';
  notes: readonly string[] = [];
  problem: string | null = null;

  /** Ask which targets there are, and show the first. */
  async load(): Promise<void> {
    try {
      const { targets } = await this._ask<ITargets>('export');
      this.targets = targets.filter(one => one.suffix !== '');
    } catch (error) {
      this._show('', [], told(error));
      return;
    }
    const [first] = this.targets;
    if (first !== undefined) {
      await this.show(first.target);
    }
  }

  /** Show another target. */
  async show(target: string): Promise<void> {
    this.target = target;
    this._show('', [], null);
    try {
      const made = await this._ask<IPreview>('export', { ...this._of, target });
      if (target === this.target) {
        const notes = made.notes.filter(note => note.kind !== 'order').map(note => note.text);
        const [file] = made.files;
        this.name = file?.name ?? '';
        this._show(file?.text ?? '', [...new Set(notes)], null);
      }
    } catch (error) {
      if (target === this.target) {
        this._show('', [], told(error));
      }
    }
  }

  private _show(text: string, notes: readonly string[], problem: string | null): void {
    Object.assign(this, { text, notes, problem });
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
}
