/** Looks through a notebook after it was saved: by autosave, or with a key of no known shape. */

import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { told } from '../problem';
import type { Guard, IGuarded, IKey } from './model';
import { mayHoldKey, slim } from './patterns';

interface IWatchOptions {
  guard: Guard;
  of: IGuarded;
  enabled: () => boolean;
  /** What was found in what was saved. */
  found: (keys: IKey[]) => void;
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
    this._disposed = true;
    clearTimeout(this._timer);
    this.context.saveState.disconnect(this.saved);
  }

  private readonly saved = (_: unknown, state: DocumentRegistry.SaveState): void => {
    if (state === 'completed' && this.options.enabled()) {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => void this.look(), this.options.delay ?? 300);
    }
  };

  private async look(): Promise<void> {
    const { guard, of, found } = this.options;
    try {
      const content = of.content();
      const looks = mayHoldKey(content) || JSON.stringify(slim(content)).length < LONG;
      const keys = looks ? await guard.keysIn(content) : [];
      if (!this._disposed) {
        found(keys);
      }
    } catch (error) {
      console.warn(`gemini_magic: ${of.name} was not looked through for keys.`, told(error));
    }
  }

  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
