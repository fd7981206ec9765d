import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Goes } from '../../src/documents/guard/intercept';
import { guardSaves, saveAndKeep } from '../../src/documents/guard/saves';

/** As much of a document as is saved. */
class Doc {
  readonly done: string[] = [];
  isDisposed = false;

  constructor(readonly path: string) {}

  save(): Promise<void> {
    this.done.push('save');
    return Promise.resolve();
  }

  createCheckpoint(): Promise<void> {
    this.done.push('checkpoint');
    return Promise.resolve();
  }
}

type Context = DocumentRegistry.Context & Doc;

const made = (path: string): Context => new Doc(path) as unknown as Context;

let a: Context;
let b: Context;
let plain: Context;
let front: Context;
let answers: Map<Context, boolean>;
let pass: ReturnType<typeof vi.fn<(context: Context) => Promise<boolean>>>;

beforeEach(() => {
  [a, b, plain] = [made('a.ipynb'), made('b.ipynb'), made('plain.txt')];
  front = a;
  answers = new Map([
    [a, true],
    [b, true]
  ]);
  pass = vi.fn((context: Context) => Promise.resolve(answers.get(context) ?? true));
});

function before(command: string): Promise<Goes> | null {
  const open = {
    current: () => front,
    show: (context: Context) => {
      front = context;
    },
    dirty: () => [a, b, a], // two views of one
    all: () => [a, b, plain]
  };
  return guardSaves(open, context => context !== plain, pass)(command);
}

/** What is done in the command's place. */
async function instead(goes: Promise<Goes> | null): Promise<void> {
  const action = await goes;
  expect(action).toBeTypeOf('function');
  await (action as () => Promise<unknown>)();
}

describe('a save that waits for an answer', () => {
  it('is the command, where the notebook is still in front', async () => {
    expect(await before('docmanager:save')).toBe(true);
    expect(a.done).toEqual([]);
  });

  it('is of the notebook that was in front, where another one came there', async () => {
    const goes = before('docmanager:save');
    front = b;
    await instead(goes);
    expect([a.done, b.done]).toEqual([['save', 'checkpoint'], []]);
  });

  it('brings back the notebook that is saved under another name', async () => {
    const goes = before('docmanager:save-as');
    front = b;
    expect(await goes).toBe(true);
    expect(front).toBe(a);
  });

  it('is none, where the user says so, or nothing is in the way', async () => {
    answers.set(a, false);
    expect(await before('docmanager:save')).toBe(false);
    front = plain;
    expect(before('docmanager:save')).toBeNull();
  });

  it('is none of what was closed meanwhile', async () => {
    const goes = before('docmanager:save');
    front = b;
    a.isDisposed = true;
    expect(await goes).toBe(false);
  });
});

describe('a save of all', () => {
  it('is the command, where all may be saved', async () => {
    expect(await before('docmanager:save-all')).toBe(true);
    expect(pass.mock.calls).toEqual([[a], [b]]);
  });

  it('leaves out what was refused, and asks for all others', async () => {
    answers.set(a, false);
    await instead(before('docmanager:save-all'));
    expect(pass.mock.calls).toEqual([[a], [b]]);
    expect([a.done, b.done, plain.done]).toEqual([[], ['save'], ['save']]);
  });
});

it('what is closed while it is saved has no checkpoint', async () => {
  const saving = saveAndKeep(a);
  a.isDisposed = true;
  await saving;
  expect(a.done).toEqual(['save']);
});
