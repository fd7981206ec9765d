import './page';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BackendsModel } from '../../src/quota/backends';
import { CacheModel } from '../../src/quota/cache';
import { HistoryModel } from '../../src/quota/history';
import { Refused } from '../../src/request';
import { backendOf, meterOf, Routes, windowOf } from './server';

const TAKEN = new Refused('work is there.', 'Take another name.', 409);

describe('backends', () => {
  it('are asked for, and stay when the server refuses', async () => {
    const routes = new Routes({ 'GET backends': [backendOf('work')] });
    const model = new BackendsModel(routes.ask);
    await model.refresh();
    expect(model.backends?.map(one => one.name)).toEqual(['work']);
    routes.answers['GET backends'] = new Refused('No.', null, 500);
    await model.refresh();
    expect(model.problem?.message).toBe('No.');
    expect(model.backends).toHaveLength(1);
  });

  it('presets are asked for once', async () => {
    const routes = new Routes({ 'GET presets': [{ preset: 'ollama' }] });
    const model = new BackendsModel(routes.ask);
    await model.loadPresets();
    await model.loadPresets();
    expect(routes.asked).toEqual(['GET presets']);
  });

  it('a test says that it runs, then what it found; names are escaped', async () => {
    const found = { ok: true, seconds: 0.2, message: '', next: null, models: ['m'] };
    const routes = new Routes({ 'POST backends/a%2Fb/test': found });
    const model = new BackendsModel(routes.ask);
    const states: unknown[] = [];
    model.stateChanged.connect(() => states.push(model.tests.get('a/b')));
    await model.test('a/b');
    expect(states).toEqual(['running', found]);
  });

  it('a test that cannot be made is one that failed', async () => {
    const model = new BackendsModel(new Routes({}).ask);
    await model.test('x');
    expect(model.tests.get('x')).toMatchObject({
      ok: false,
      message: 'No route POST backends/x/test'
    });
  });

  it('a new one is posted and the list asked for again', async () => {
    const routes = new Routes({
      'POST backends': backendOf('work'),
      'GET backends': [backendOf('work')]
    });
    const model = new BackendsModel(routes.ask);
    await model.add({ name: 'work', preset: 'openai', key: 'k' });
    expect(routes.asked).toEqual(['POST backends', 'GET backends']);
    expect(JSON.stringify([model.backends, ...model.tests])).not.toContain('"k"');
  });

  it('a name that is taken is the caller’s to tell', async () => {
    const model = new BackendsModel(new Routes({ 'POST backends': TAKEN }).ask);
    await expect(model.add({ name: 'work' })).rejects.toBe(TAKEN);
  });

  it('one that goes takes its test with it', async () => {
    const routes = new Routes({ 'DELETE backends/work': null, 'GET backends': [] });
    const model = new BackendsModel(routes.ask);
    await model.test('work');
    await model.remove('work');
    expect(model.tests.size).toBe(0);
    expect(model.backends).toEqual([]);
  });
});

describe('cache', () => {
  it('is measured again after it was cleared', async () => {
    const routes = new Routes({
      'GET cache': { replies: 3, bytes: 90 },
      'DELETE cache': null
    });
    const model = new CacheModel(routes.ask);
    await model.refresh();
    expect(model.size?.replies).toBe(3);
    routes.answers['GET cache'] = { replies: 0, bytes: 0 };
    await model.clear();
    expect(routes.asked).toEqual(['GET cache', 'DELETE cache', 'GET cache']);
    expect(model.size?.replies).toBe(0);
  });

  it('tells why it cannot be cleared', async () => {
    const model = new CacheModel(new Routes({ 'DELETE cache': TAKEN }).ask);
    await model.clear();
    expect(model.problem).toBe(TAKEN);
  });
});

describe('history', () => {
  const flash = meterOf([windowOf(1)]);
  const pro = meterOf([windowOf(1)], { model: 'a b&c', backend: 'x' });
  const past = { hours: [], days: [] };
  const [FLASH, PRO] = [
    'GET quota/history?model=gemini-2.5-flash&backend=studio',
    'GET quota/history?model=a+b%26c&backend=x'
  ];
  let routes: Routes;

  beforeEach(() => {
    vi.useFakeTimers();
    routes = new Routes({ [FLASH]: past, [PRO]: past });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('is asked for each meter at once, and then not more often than it may', async () => {
    const model = new HistoryModel(routes.ask, 5_000);
    model.refresh([flash, pro]);
    await vi.advanceTimersByTimeAsync(1);
    expect(routes.asked).toEqual([FLASH, PRO]);
    expect(model.of(flash)).toBe(past);
    for (let times = 0; times < 40; times++) {
      model.refresh([flash]);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(routes.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(routes.asked).toEqual([FLASH, PRO, FLASH]);
  });

  it('a meter without history does not take it from the others', async () => {
    const model = new HistoryModel(routes.ask, 5_000);
    model.refresh([meterOf([], { model: 'unheard' }), flash]);
    await vi.advanceTimersByTimeAsync(1);
    expect(model.of(flash)).toBe(past);
  });
});
