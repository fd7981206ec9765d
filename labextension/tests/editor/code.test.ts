import { describe, expect, it } from 'vitest';
import { CodeModel, downTo } from '../../src/editor/codeModel';
import { Refused, type ask } from '../../src/request';

const OF = { path: 'a.ipynb', content: { cells: [] }, cell: 'id-1' };
const TARGETS = {
  targets: [
    { target: 'python-genai', title: 'Python', suffix: '.py', options: [] },
    { target: 'curl', title: 'curl', suffix: '.sh', options: [] },
    { target: 'aistudio', title: 'AI Studio', suffix: '', options: [] }
  ],
  options: []
};

type Answer = (target: string) => Promise<unknown>;

function asking(answer: Answer, asked: unknown[] = []): typeof ask {
  return <T>(_route: string, body?: unknown) => {
    asked.push(body);
    const { target } = (body ?? { target: '' }) as { target: string };
    return (body === undefined ? Promise.resolve(TARGETS) : answer(target)) as Promise<T>;
  };
}

function made(target: string): unknown {
  const note = { kind: 'lost', text: 'a note', cell: '' };
  return { files: [{ name: `tides.${target}`, text: `code for ${target}` }], notes: [note, note] };
}

describe('a cell as code', () => {
  it('is shown in the first target that is a program, then in others', async () => {
    const asked: unknown[] = [];
    const model = new CodeModel(
      OF,
      asking(target => Promise.resolve(made(target)), asked)
    );
    await model.load();
    expect(model.targets.map(one => one.target)).toEqual(['python-genai', 'curl']);
    expect(model).toMatchObject({
      name: 'tides.python-genai',
      text: 'code for python-genai',
      notes: ['a note'],
      problem: null
    });
    await model.show('curl');
    expect(model.text).toBe('code for curl');
    expect(asked.at(-1)).toEqual({ ...OF, target: 'curl' });
  });

  it('shows the target that was chosen last, whichever answer comes first', async () => {
    const waiting = new Map<string, (made: unknown) => void>();
    const model = new CodeModel(
      OF,
      asking(target => new Promise(resolve => waiting.set(target, resolve)))
    );
    const slow = model.show('python-genai');
    const fast = model.show('curl');
    waiting.get('curl')?.(made('curl'));
    await fast;
    waiting.get('python-genai')?.(made('python-genai'));
    await slow;
    expect([model.target, model.text]).toEqual(['curl', 'code for curl']);
  });

  it('tells what went wrong, with the next step', async () => {
    const model = new CodeModel(
      OF,
      asking(() => Promise.reject(new Refused('A key.', 'Take it out.', 400)))
    );
    await model.load();
    expect(model).toMatchObject({ text: '', problem: 'A key. Take it out.' });
  });
});

it.each([
  ['4.4, as Colab writes it', ['x', 'y', 'z'].map(source => ({ source }))],
  ['4.5', ['x', 'y', 'z'].map((source, index) => ({ source, id: 'abc'.charAt(index) }))]
])('a notebook of format %s goes down to the cell, which has its id', (_, cells) => {
  expect(downTo('b', ['a', 'b', 'c'], { cells, metadata: {} } as { cells: object[] })).toEqual({
    cells: [
      { source: 'x', id: 'a' },
      { source: 'y', id: 'b' }
    ],
    metadata: {}
  });
});
