import { describe, expect, it } from 'vitest';
import { MigrationModel } from '../../src/documents/migrate/model';
import { Refused } from '../../src/request';
import { conflict, Stub } from './stub';

const SHOWN = {
  path: 'a.py',
  before: 'old',
  after: 'new',
  diff: '+new',
  places: [
    { line: 1, verdict: 'done', why: 'the import' },
    { line: 3, verdict: 'left', why: 'tuned models' },
    { line: 4, verdict: 'done', why: 'the call' }
  ],
  written: false
};

function model(stub: Stub, baseUrl = ''): MigrationModel {
  return new MigrationModel({ path: 'a.py', to: 'openai', baseUrl, ask: stub.ask });
}

describe('a migration', () => {
  it('is shown before it is written, and writes what was shown', async () => {
    const stub = new Stub().on('migrate', SHOWN, { ...SHOWN, written: true });
    const made = model(stub, 'https://proxy.example/v1');
    expect(made.applies).toBe(false);
    await made.look();
    expect(made.applies).toBe(true);
    expect(made.counts).toEqual({ done: 2, assisted: 0, left: 1 });
    expect(await made.apply()).toBe(true);
    const common = { path: 'a.py', to: 'openai', base_url: 'https://proxy.example/v1' };
    expect(stub.bodies('migrate')).toEqual([
      { ...common, write: false },
      { ...common, write: true, before: 'old' }
    ]);
    expect(made.applies).toBe(false);
    expect(await made.apply()).toBe(false);
  });

  it('is shown anew if the file is another by now', async () => {
    const newer = { ...SHOWN, before: 'newer' };
    const stub = new Stub().on('migrate', SHOWN, conflict('It was changed.'), newer, newer);
    const made = model(stub);
    await made.look();
    expect(await made.apply()).toBe(false);
    expect(made).toMatchObject({ news: 'It was changed.', migration: newer, problem: null });
    await made.apply();
    expect(stub.bodies('migrate').at(-1)).toMatchObject({ write: true, before: 'newer' });
  });

  it('has nothing to apply where nothing changes', async () => {
    const made = model(new Stub().on('migrate', { ...SHOWN, diff: '' }));
    await made.look();
    expect(made.applies).toBe(false);
  });

  it('says what went wrong', async () => {
    const made = model(new Stub().on('migrate', new Refused('It is Python 2.', 'Use 2to3.', 400)));
    await made.look();
    expect(made).toMatchObject({ problem: 'It is Python 2. Use 2to3.', busy: false });
    expect(made.applies).toBe(false);
  });
});
