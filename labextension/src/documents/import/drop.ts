/** Notices saved prompts among the files that are dropped onto Lab; all else goes its way. */

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { isPrompt, mayBePrompt } from './recognise';

export interface IDropOptions {
  enabled: () => boolean;
  /** Told of each file that the server keeps: how an upload is known to be there. */
  fileChanged: ISignal<unknown, Contents.IChangedArgs>;
  /** A prompt was uploaded to the file browser by a drop. */
  uploaded: (path: string) => void;
  /** A prompt was dropped onto a notebook; whether it is taken. Else the drop goes on. */
  dropped: (file: File) => Promise<boolean>;
}

const BROWSER = '.jp-DirListing';
const NOTEBOOK = '.jp-NotebookPanel';

/** A file that Lab uploads, and whether it is a prompt. */
interface IUpload {
  name: string;
  size: number;
  prompt: Promise<boolean>;
}

/** Watches a document's drops; in the file browser it only looks on. */
export class DropWatch implements IDisposable {
  constructor(
    private readonly node: Document,
    private readonly options: IDropOptions
  ) {
    node.addEventListener('dragover', this.over, true);
    node.addEventListener('drop', this.drop, true);
    options.fileChanged.connect(this.saved);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    this.node.removeEventListener('dragover', this.over, true);
    this.node.removeEventListener('drop', this.drop, true);
    this.options.fileChanged.disconnect(this.saved);
  }

  /** A notebook takes no files but in its editors, unless somebody says so here. */
  private readonly over = (event: DragEvent): void => {
    const items = [...(event.dataTransfer?.items ?? [])];
    const item = items.at(0);
    if (
      this.options.enabled() &&
      items.length === 1 &&
      item?.kind === 'file' &&
      mayBePrompt(item) &&
      within(event, NOTEBOOK)
    ) {
      event.preventDefault();
    }
  };

  private readonly drop = (event: DragEvent): void => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (this._replayed === event || files.length === 0 || !this.options.enabled()) {
      return;
    }
    if (within(event, BROWSER)) {
      for (const file of files.filter(mayBePrompt)) {
        const prompt = isPrompt(file).catch(() => false);
        this._uploads.push({ name: file.name, size: file.size, prompt });
      }
      this._uploads.splice(0, this._uploads.length - MOST);
      return;
    }
    const file = files.at(0);
    if (files.length === 1 && file !== undefined && mayBePrompt(file) && within(event, NOTEBOOK)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      void this.offer(file, event);
    }
  };

  /** What is no prompt, or not wanted as one, is dropped once more, and not looked at again. */
  private async offer(file: File, event: DragEvent): Promise<void> {
    const prompt = await isPrompt(file).catch(() => false);
    if (prompt && (await this.options.dropped(file))) {
      return;
    }
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    const { clientX, clientY } = event;
    const init = { bubbles: true, cancelable: true, composed: true };
    this._replayed = new DragEvent('drop', { ...init, dataTransfer, clientX, clientY });
    event.target?.dispatchEvent(this._replayed);
  }

  private readonly saved = (_: unknown, change: Contents.IChangedArgs): void => {
    const path = change.newValue?.path;
    if (change.type !== 'save' || path === undefined) {
      return;
    }
    const size = change.newValue?.size;
    const name = PathExt.basename(path);
    // A large file comes in pieces, and is whole when it has its size.
    const found = this._uploads.findIndex(
      one => one.name === name && (typeof size !== 'number' || size >= one.size)
    );
    if (found < 0) {
      return;
    }
    const upload = this._uploads.splice(found, 1).at(0);
    void upload?.prompt.then(prompt => {
      if (prompt && !this._disposed) {
        this.options.uploaded(path);
      }
    });
  };

  private _disposed = false;
  private _replayed: Event | null = null;
  private readonly _uploads: IUpload[] = [];
}

/** So many files of a drop are remembered until they are uploaded. */
const MOST = 50;

function within(event: Event, selector: string): boolean {
  return event.target instanceof Element && event.target.closest(selector) !== null;
}
