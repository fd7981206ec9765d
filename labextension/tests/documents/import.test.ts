import type { Contents } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DropWatch } from '../../src/documents/import/drop';
import { importPath, notebooksOf, upload } from '../../src/documents/import/importing';
import { isPrompt, mayBePrompt } from '../../src/documents/import/recognise';
import { Refused } from '../../src/request';
import { conflict, Stub } from './stub';

// jsdom's Blob has none.
Blob.prototype.arrayBuffer = function (this: Blob) {
  return new Promise(resolve => {
    const reader = new FileReader();
    reader.onload = () => {
      resolve(reader.result as ArrayBuffer);
    };
    reader.readAsArrayBuffer(this);
  });
};

const PROMPT = '{"runSettings": {"model": "models/gemini-2.5-flash"}, "chunkedPrompt": {}}';

function file(text: BlobPart, name = 'My prompt v1.2', type = ''): File {
  return new File([text], name, { type });
}

describe('a saved prompt', () => {
  it('is known by its content', async () => {
    expect(await isPrompt(file(PROMPT))).toBe(true);
    expect(await isPrompt(file('\uFEFF\n' + PROMPT, 'x.json', 'application/json'))).toBe(true);
    const turns = `{"a": "${'x'.repeat(200_000)}", "chunkedPrompt": {"chunks": []}}`;
    expect(await isPrompt(file(turns))).toBe(true);
  });

  it('is no notebook, no other JSON, no picture', async () => {
    expect(await isPrompt(file(PROMPT, 'x.ipynb'))).toBe(false);
    expect(await isPrompt(file('{"runSettings": 1}'))).toBe(false);
    expect(await isPrompt(file('{"a": "\\"chunkedPrompt\\": {"}'))).toBe(false);
    expect(await isPrompt(file(PROMPT, 'x.png', 'image/png'))).toBe(false);
    expect(await isPrompt(file(''))).toBe(false);
    expect(await isPrompt(file(new Uint8Array([0, 255, 254, 123])))).toBe(false);
  });

  it('may be in an archive', async () => {
    const zip = (name: string): File =>
      file(`PK\u0003\u0004${'\0'.repeat(70_000)}${name}`, 'drive.zip', 'application/zip');
    expect(await isPrompt(zip('Google AI Studio/chat'))).toBe(true);
    expect(await isPrompt(zip('photos/a.png'))).toBe(false);
    expect(mayBePrompt({ type: 'image/png' })).toBe(false);
  });
});

describe('an import', () => {
  const MADE = { written: ['w/media/a.png', 'w/chat.ipynb'], notes: [] };

  it('puts notebooks beside what they are made of', async () => {
    const stub = new Stub().on('import', MADE);
    const made = await importPath('w/chat', {
      ask: stub.ask,
      replace: () => Promise.resolve(false)
    });
    expect(made).toEqual(MADE);
    expect(stub.bodies('import')).toEqual([{ path: 'w/chat', to: 'w' }]);
    expect(notebooksOf(MADE)).toEqual(['w/chat.ipynb']);
    expect(notebooksOf({ ...MADE, notebooks: ['w/x.ipynb'] })).toEqual(['w/x.ipynb']);
  });

  it('replaces what is there if the user says so', async () => {
    const stub = new Stub().on('import', conflict('chat.ipynb is there.'), MADE);
    const replace = vi.fn().mockResolvedValueOnce(true);
    expect(await importPath('chat', { ask: stub.ask, replace })).toEqual(MADE);
    expect(replace).toHaveBeenCalledWith('chat.ipynb is there.');
    expect(stub.bodies('import')[1]).toEqual({ path: 'chat', to: '', overwrite: true });
  });

  it('leaves it, else; and tells what is no prompt', async () => {
    const stub = new Stub().on('import', conflict('chat.ipynb is there.'));
    const replace = (): Promise<boolean> => Promise.resolve(false);
    expect(await importPath('chat', { ask: stub.ask, replace })).toBeNull();
    stub.on('import', new Refused('It is no prompt.', null, 400));
    await expect(importPath('chat', { ask: stub.ask, replace })).rejects.toThrow('no prompt');
  });
});

describe('an upload', () => {
  it('takes a name that is free, and every byte', async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 256);
    const save = vi.fn();
    const contents = {
      get: vi.fn().mockResolvedValue({ content: [{ name: 'a.b.json' }, { name: 'a.b 2.json' }] }),
      save
    } as unknown as Contents.IManager;
    expect(await upload(file(bytes, 'a.b.json'), 'w', contents)).toBe('w/a.b 3.json');
    const [path, model] = save.mock.calls[0] as [string, { format: string; content: string }];
    expect([path, model.format]).toEqual(['w/a.b 3.json', 'base64']);
    expect(Uint8Array.from(atob(model.content), one => one.charCodeAt(0))).toEqual(bytes);
    expect(await upload(file('x', 'a chat'), '', contents)).toBe('a chat');
  });
});

/** jsdom has neither; a browser's are used in tests/browser. */
class Transfer {
  readonly files: File[] = [];
  readonly items = { add: (one: File): number => this.files.push(one) };
}
class Drag extends MouseEvent {
  readonly dataTransfer: unknown;
  constructor(type: string, init: MouseEventInit & { dataTransfer?: unknown }) {
    super(type, init);
    this.dataTransfer = init.dataTransfer;
  }
}
vi.stubGlobal('DataTransfer', Transfer);
vi.stubGlobal('DragEvent', Drag);

describe('a drop', () => {
  const change = new Signal<unknown, Contents.IChangedArgs>({});
  const uploaded = vi.fn();
  const dropped = vi.fn();
  let watch: DropWatch | null = null;
  let seen: Event[] = [];

  function dropOn(place: string, ...files: File[]): Drag {
    document.body.innerHTML = `<div class="${place}"><p></p></div>`;
    const target = document.querySelector('p');
    seen = [];
    target?.addEventListener('drop', event => seen.push(event));
    watch = new DropWatch(document, {
      enabled: () => true,
      fileChanged: change,
      uploaded,
      dropped
    });
    const event = new Drag('drop', {
      bubbles: true,
      cancelable: true,
      dataTransfer: { files, items: [] }
    });
    target?.dispatchEvent(event);
    return event;
  }

  function saved(path: string, size: number): void {
    change.emit({ type: 'save', oldValue: null, newValue: { path, size } });
  }

  afterEach(() => {
    watch?.dispose();
    vi.clearAllMocks();
  });

  it("onto the file browser is Lab's, and told of when the upload is whole", async () => {
    const prompt = file(PROMPT);
    const event = dropOn('jp-DirListing', prompt, file('other', 'other'));
    expect(event.defaultPrevented).toBe(false);
    expect(seen).toEqual([event]);
    saved('d/My prompt v1.2', prompt.size - 1);
    saved('d/other', 5);
    saved('d/My prompt v1.2', prompt.size);
    await expect.poll(() => uploaded.mock.calls).toEqual([['d/My prompt v1.2']]);
    saved('d/My prompt v1.2', prompt.size);
    await Promise.resolve();
    expect(uploaded).toHaveBeenCalledTimes(1);
  });

  it('onto a notebook is taken if it is a prompt', async () => {
    dropped.mockResolvedValueOnce(true);
    const event = dropOn('jp-NotebookPanel', file(PROMPT));
    expect(event.defaultPrevented).toBe(true);
    await expect.poll(() => dropped.mock.calls.length).toBe(1);
    expect(seen).toEqual([]);
  });

  it('goes on as it was if it is none, or not wanted as one', async () => {
    const other = file('just text');
    dropOn('jp-NotebookPanel', other);
    await expect.poll(() => seen.length).toBe(1);
    expect((seen[0] as unknown as { dataTransfer: Transfer }).dataTransfer.files).toEqual([other]);
    expect(dropped).not.toHaveBeenCalled();
    watch?.dispose();
    dropped.mockResolvedValueOnce(false);
    dropOn('jp-NotebookPanel', file(PROMPT));
    await expect.poll(() => seen.length).toBe(1);
    expect(dropped).toHaveBeenCalledTimes(1);
  });

  it('of pictures, of several files, and elsewhere is not touched', () => {
    for (const event of [
      dropOn('jp-NotebookPanel', file('x', 'x.png', 'image/png')),
      dropOn('jp-NotebookPanel', file(PROMPT), file(PROMPT)),
      dropOn('jp-Terminal', file(PROMPT))
    ]) {
      expect(event.defaultPrevented).toBe(false);
    }
  });
});
