import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { intercept } from '../../src/documents/guard/intercept';
import {
  Guard,
  type Answer,
  type IGuarded,
  type IGuardFace
} from '../../src/documents/guard/model';
import { mayHoldKey, slim } from '../../src/documents/guard/patterns';
import { SaveWatch } from '../../src/documents/guard/watch';
import type { INotebook } from '../../src/documents/notebook';
import { Refused } from '../../src/request';
import { conflict, Stub } from './stub';

const KEY = 'AIza' + 'SyQ8w3e5r7t9y1u2i4o6p8a0s2d4f6g8h0j';

function notebook(source: string | string[], ...outputs: object[]): INotebook {
  return {
    cells: [{ id: 'a', cell_type: 'code', source, metadata: {}, outputs: outputs as never }],
    metadata: {}
  };
}

function finding(id: string, more: object = {}): object {
  return { id, cell: 0, cell_id: 'a', where: 'source', kind: 'k', shown: 's', line: 1, ...more };
}

const quiet = vi.spyOn(console, 'warn').mockImplementation(() => undefined);

describe('a cheap look', () => {
  it.each([
    ['source', notebook(`key = "${KEY}"`)],
    ['lines', notebook(['x = 1\n', `key = "${KEY}"`])],
    ['a stream', notebook('', { output_type: 'stream', text: ['a\n', KEY] })],
    ['a result', notebook('', { output_type: 'execute_result', data: { 'text/plain': KEY } })],
    [
      'JSON',
      notebook('', { output_type: 'display_data', data: { 'application/json': { a: [KEY, 1] } } })
    ],
    [
      'a vector picture',
      notebook('', { output_type: 'display_data', data: { 'image/svg+xml': KEY } })
    ],
    ['a traceback', notebook('', { output_type: 'error', traceback: ['x', KEY], evalue: '' })],
    ['metadata', { ...notebook(''), metadata: { a: { b: KEY } } }],
    ['a private key', notebook('-----BEGIN RSA PRIVATE KEY-----')]
  ])('sees a key in %s', (_, found) => {
    expect(mayHoldKey(found)).toBe(true);
  });

  it('passes what holds none', () => {
    const picture = { output_type: 'display_data', data: { 'image/png': KEY } };
    expect(mayHoldKey(notebook('%%gemini\nFAQ. skip hf_ AIza', picture))).toBe(false);
    expect(mayHoldKey({ cells: [], metadata: {} })).toBe(false);
  });

  it('sends no pictures', () => {
    const data = { 'image/png': 'x'.repeat(99), 'text/plain': 'p' };
    const made = slim(notebook('s', { output_type: 'display_data', data, metadata: { a: 1 } }));
    expect(made.cells[0]?.outputs).toEqual([
      {
        output_type: 'display_data',
        metadata: { a: 1 },
        data: { 'image/png': '', 'text/plain': 'p' }
      }
    ]);
    expect(data['image/png']).toHaveLength(99);
  });
});

describe('the guard', () => {
  let content = notebook('key');
  const question = vi.fn<IGuardFace['question']>();
  const problem = vi.fn<IGuardFace['problem']>();
  const face = { question, problem };

  function guarded(applies = true): IGuarded {
    return {
      name: 'n.ipynb',
      accepted: new Set(),
      content: () => content,
      apply: (_, after) => {
        if (applies) {
          content = after;
        }
        return applies;
      }
    };
  }

  function answers(...given: Answer[]): void {
    given.forEach(one => question.mockResolvedValueOnce(one));
  }

  beforeEach(() => {
    content = notebook('key');
    problem.mockResolvedValue(undefined);
  });
  afterEach(() => {
    vi.resetAllMocks();
  });

  it('asks once for a key in several places, and never again for one that may be saved', async () => {
    const places = [finding('x'), finding('x', { where: 'output', line: null })];
    const stub = new Stub().on('secrets/scan', { findings: places });
    const guard = new Guard(stub.ask, face);
    const of = guarded();
    answers({ what: 'keep' });
    expect(await guard.pass(of)).toBe(true);
    expect(await guard.pass(of)).toBe(true);
    expect(question).toHaveBeenCalledTimes(1);
    expect(question.mock.calls[0]?.[0].places).toHaveLength(2);
    expect(content).toEqual(notebook('key'));
  });

  it('redacts, and asks for the next key', async () => {
    const stub = new Stub()
      .on('secrets/scan', { findings: [finding('x'), finding('y')] })
      .on('secrets/redact', { content: notebook('one gone') }, { content: notebook('gone') });
    answers({ what: 'redact' }, { what: 'redact' });
    expect(await new Guard(stub.ask, face).pass(guarded())).toBe(true);
    expect(content).toEqual(notebook('gone'));
    expect(stub.bodies('secrets/redact')).toEqual([
      { content: notebook('key'), ids: ['x'] },
      { content: notebook('one gone'), ids: ['y'] }
    ]);
  });

  it('moves to the keyring', async () => {
    const stub = new Stub()
      .on('secrets/scan', { findings: [finding('x')] })
      .on('secrets/keyring', { content: notebook('moved') });
    answers({ what: 'keyring', name: 'work' });
    expect(await new Guard(stub.ask, face).pass(guarded())).toBe(true);
    const body = { content: notebook('key'), id: 'x', name: 'work' };
    expect(stub.bodies('secrets/keyring')).toEqual([body]);
    expect(content).toEqual(notebook('moved'));
  });

  it('asks again where that fails, or the notebook was changed', async () => {
    const stub = new Stub()
      .on('secrets/scan', { findings: [finding('x')] })
      .on('secrets/keyring', conflict('There is no keyring.'))
      .on('secrets/redact', new Refused('No.', 'Try again.', 400), { content: notebook('gone') });
    const guard = new Guard(stub.ask, face);
    answers(
      { what: 'keyring', name: 'w' },
      { what: 'redact' },
      { what: 'redact' },
      { what: 'cancel' }
    );
    expect(await guard.pass(guarded(false))).toBe(false);
    expect(problem.mock.calls).toEqual([['There is no keyring.'], ['No. Try again.'], [null]]);
    expect(content).toEqual(notebook('key'));
  });

  it('does not save where the user leaves the question', async () => {
    const stub = new Stub().on('secrets/scan', { findings: [finding('x')] });
    answers({ what: 'cancel' });
    expect(await new Guard(stub.ask, face).pass(guarded())).toBe(false);
  });

  it('lets everything be saved where the server cannot tell', async () => {
    quiet.mockImplementation(() => undefined);
    expect(await new Guard(new Stub().ask, face).pass(guarded())).toBe(true);
    expect(question).not.toHaveBeenCalled();
    expect(quiet).toHaveBeenCalledTimes(1);
  });

  it('does not wait for a server that does not answer', async () => {
    quiet.mockImplementation(() => undefined);
    const stuck = new Stub().on('secrets/scan', () => new Promise(() => undefined));
    const guard = new Guard(stuck.ask, face, 1);
    expect(await guard.pass(guarded())).toBe(true);
    expect(quiet).toHaveBeenCalledTimes(1);
    await expect(guard.review(guarded())).rejects.toThrow('has not answered');
  });

  it('waits for whoever is asked', async () => {
    const stub = new Stub().on('secrets/scan', { findings: [finding('x')] });
    question.mockImplementationOnce(
      () => new Promise(resolve => setTimeout(resolve, 50, { what: 'cancel' }))
    );
    expect(await new Guard(stub.ask, face, 25).pass(guarded())).toBe(false);
  });

  it('asks one question at a time', async () => {
    const stub = new Stub().on('secrets/scan', { findings: [finding('x')] });
    const guard = new Guard(stub.ask, face);
    const of = guarded();
    answers({ what: 'keep' });
    expect(await Promise.all([guard.pass(of), guard.pass(of), guard.pass(of)])).toEqual([
      true,
      true,
      true
    ]);
    expect(question).toHaveBeenCalledTimes(1);
  });
});

describe('after a save', () => {
  function watch(
    content: INotebook,
    stub: Stub,
    delay = 1
  ): { save: (state?: string) => void; found: number[]; close: () => void } {
    const context = { saveState: new Signal<unknown, string>({}) };
    const found: number[] = [];
    let open = true;
    const now = (): INotebook => (open ? content : { cells: [], metadata: {} });
    const watching = new SaveWatch(context as never, {
      guard: new Guard(stub.ask, {} as IGuardFace),
      of: { name: 'n', accepted: new Set(), content: now, apply: () => true },
      enabled: () => true,
      found: keys => found.push(keys.length),
      delay
    });
    const save = (state = 'completed'): void => {
      context.saveState.emit(state);
    };
    const close = (): void => {
      open = false;
      watching.dispose();
    };
    return { save, found, close };
  }

  it('a notebook is looked through, once for saves that follow each other', async () => {
    const stub = new Stub().on('secrets/scan', { findings: [finding('x'), finding('y')] });
    const { save, found } = watch(notebook('plain'), stub);
    save('started');
    save('failed');
    save();
    save();
    await expect.poll(() => found).toEqual([2]);
    expect(stub.asked).toHaveLength(1);
  });

  it('a long one only if something in it begins as a key does', async () => {
    const stub = new Stub().on('secrets/scan', { findings: [finding('x')] });
    const long = 'word '.repeat(100_000);
    const without = watch(notebook(long), stub);
    without.save();
    await expect.poll(() => without.found).toEqual([0]);
    expect(stub.asked).toHaveLength(0);
    const held = watch(notebook(long + KEY), stub);
    held.save();
    await expect.poll(() => held.found).toEqual([1]);
  });

  it('a notebook is looked through that was closed at once, once', async () => {
    const stub = new Stub().on('secrets/scan', { findings: [finding('x')] });
    const { save, found, close } = watch(notebook(KEY), stub, 600_000);
    save();
    close();
    close();
    await expect.poll(() => found).toEqual([1]);
    expect(stub.bodies('secrets/scan')).toEqual([{ content: notebook(KEY) }]);
  });

  it('a notebook that is closed while it is looked through is told of', async () => {
    let answer: (found: unknown) => void = () => undefined;
    const asked = new Promise(resolve => (answer = resolve));
    const stub = new Stub().on('secrets/scan', () => asked);
    const { save, found, close } = watch(notebook(KEY), stub);
    save();
    await expect.poll(() => stub.asked).toHaveLength(1);
    close();
    answer({ findings: [finding('x')] });
    await expect.poll(() => found).toEqual([1]);
  });

  it('a notebook that was not saved is not looked through when it is closed', () => {
    const stub = new Stub();
    watch(notebook(KEY), stub).close();
    expect(stub.asked).toEqual([]);
  });

  it('a server that cannot tell is no problem', async () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const { save, found } = watch(notebook('x'), new Stub());
    save();
    await expect.poll(() => warned.mock.calls.length).toBe(1);
    expect(found).toEqual([]);
  });
});

describe('the commands that save', () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => undefined);

  function registry(save: () => unknown): CommandRegistry {
    const commands = new CommandRegistry();
    commands.addCommand('docmanager:save', { execute: save });
    commands.addCommand('other', { execute: args => args['x'] });
    return commands;
  }

  it('run at once where nothing is in the way', async () => {
    const save = vi.fn(() => 'saved');
    const commands = registry(save);
    intercept(commands, () => null);
    const result = commands.execute('docmanager:save');
    expect(save).toHaveBeenCalledTimes(1); // before anything is awaited
    expect(await result).toBe('saved');
    expect(await commands.execute('other', { x: 1 })).toBe(1);
    await expect(commands.execute('none')).rejects.toThrow('not registered');
  });

  it('wait for the answer, and do as it says', async () => {
    const save = vi.fn(() => 'saved');
    const commands = registry(save);
    const before = vi.fn().mockResolvedValueOnce(true).mockResolvedValueOnce(false);
    intercept(commands, before);
    expect(await commands.execute('docmanager:save')).toBe('saved');
    expect(await commands.execute('docmanager:save')).toBeUndefined();
    expect(save).toHaveBeenCalledTimes(1);
    await commands.execute('other');
    expect(before.mock.calls).toEqual([['docmanager:save'], ['docmanager:save']]);
  });

  it('do not run where something is done in their place', async () => {
    const save = vi.fn();
    const commands = registry(save);
    intercept(commands, () => Promise.resolve(() => Promise.resolve('otherwise')));
    expect(await commands.execute('docmanager:save')).toBe('otherwise');
    expect(save).not.toHaveBeenCalled();
  });

  it('run where the guard fails', async () => {
    const commands = registry(() => 'saved');
    intercept(commands, () => Promise.reject(new Error('bug')));
    expect(await commands.execute('docmanager:save')).toBe('saved');
    const others = registry(() => 'saved');
    intercept(others, () => {
      throw new Error('bug');
    });
    expect(await others.execute('docmanager:save')).toBe('saved');
    expect(error).toHaveBeenCalledTimes(2);
  });
});
