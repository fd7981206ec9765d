/** Looks through a notebook after it was saved: by autosave, or with a key of no known shape. */

import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import type { INotebook } from '../notebook';
import { told } from '../problem';
import type { Guard, IGuarded, IKey } from './model';
import { mayHoldKey, slim } from './patterns';

interface IWatchOptions {
  guard: Guard;
  of: IGuarded;
  enabled: () => boolean;
  /**
   * What was found in what was saved `at` that time; the notebook may be closed by now. Nothing, and
   * not `looked`, where it is too long.
   */
  found: (keys: IKey[], looked: boolean, at: number) => void;
  /** How long after a save it looks, in milliseconds. */
  delay?: number;
}

/** A notebook with more text is looked through only if something in it begins as a key does. */
const LONG = 300_000;

export class SaveWatch implements IDisposable {
  constructor(
    private readonly context: DocumentRegistry.IContext<INotebookModel>,
    private readonly options: IWatchOptions
  ) {
    context.saveState.connect(this.saved);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this.context.saveState.disconnect(this.saved);
    void this.look(); // at what was saved when it was closed
  }

  private readonly saved = (_: unknown, state: DocumentRegistry.SaveState): void => {
    if (state === 'completed' && this.options.enabled()) {
      this._content = this.options.of.content();
      this._at = performance.now();
      clearTimeout(this._timer);
      this._timer = setTimeout(() => void this.look(), this.options.delay ?? 300);
    }
  };

  private async look(): Promise<void> {
    const { guard, of, found } = this.options;
    const [content, at] = [this._content, this._at];
    this._content = null;
    clearTimeout(this._timer);
    if (content === null) {
      return;
    }
    try {
      const looks = mayHoldKey(content) || JSON.stringify(slim(content)).length < LONG;
      found(looks ? await guard.keysIn(content) : [], looks, at);
    } catch (error) {
      console.warn(`gemini_magic: ${of.name} was not looked through for keys.`, told(error));
    }
  }

  private _disposed = false;
  /** What was saved, until it is looked through. */
  private _content: INotebook | null = null;
  private _at = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
