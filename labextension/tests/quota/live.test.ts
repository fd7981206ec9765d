import './page';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveModel } from '../../src/quota/live';
import { quotaOf, requestOf, Sockets } from './server';

let sockets: Sockets;
let model: LiveModel;
let seen: DocumentVisibilityState;

beforeEach(() => {
  vi.useFakeTimers();
  seen = 'visible';
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => seen);
  sockets = new Sockets();
  model = new LiveModel(sockets.settings);
});

afterEach(() => {
  model.dispose();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function look(state: DocumentVisibilityState): void {
  seen = state;
  document.dispatchEvent(new Event('visibilitychange'));
}

/** The server, or something on the way, ends the connection. */
async function cut(): Promise<void> {
  sockets.newest.close();
  await vi.advanceTimersByTimeAsync(0);
}

describe('who looks', () => {
  it('connects with the first who holds it and lets go with the last', () => {
    expect(sockets.opened).toHaveLength(0);
    const one = model.hold();
    const two = model.hold();
    expect(sockets.opened.map(socket => socket.url)).toEqual([
      'ws://lab.test/gemini-magic/api/live'
    ]);
    one.dispose();
    one.dispose();
    expect(sockets.open).toBe(1);
    two.dispose();
    expect(sockets.open).toBe(0);
    expect(model.state).toBe('off');
  });

  it('is disconnected while the page is hidden', () => {
    model.hold();
    look('hidden');
    expect(sockets.open).toBe(0);
    look('visible');
    expect(sockets.open).toBe(1);
    expect(sockets.opened).toHaveLength(2);
  });

  it('does not connect in a hidden page', () => {
    look('hidden');
    model.hold();
    expect(sockets.opened).toHaveLength(0);
  });

  it('is silent after its end', async () => {
    const held = model.hold();
    model.dispose();
    held.dispose();
    look('visible');
    await vi.advanceTimersByTimeAsync(200_000);
    expect(sockets.opened).toHaveLength(1);
    expect(sockets.open).toBe(0);
  });
});

describe('what is heard', () => {
  it('keeps the newest of each kind, and says so', () => {
    const states: string[] = [];
    model.stateChanged.connect(() => states.push(model.state));
    model.hold();
    sockets.newest.say({ type: 'quota', data: quotaOf(3) });
    sockets.newest.say({ type: 'requests', data: [requestOf(7)] });
    sockets.newest.say({ type: 'quota', data: quotaOf(4) });
    expect(states).toEqual(['connecting', 'live', 'live', 'live']);
    expect(model.quota?.text).toBe('RPD 4/20 · 2.5-flash');
    expect(model.requests?.map(one => one.at)).toEqual([7]);
  });

  it('shrugs at what is no JSON and at words of a newer server', () => {
    model.hold();
    sockets.newest.say('<html>');
    sockets.newest.say({ type: 'weather', data: 'rain' });
    expect([model.quota, model.requests]).toEqual([null, null]);
  });

  it('counts what kernels report', () => {
    expect(model.kernels).toBe(0);
    model.hold();
    sockets.newest.say({ type: 'kernels', data: 4 });
    expect(model.kernels).toBe(4);
  });

  it('what is known stays while nobody looks', () => {
    const held = model.hold();
    sockets.newest.say({ type: 'quota', data: quotaOf(3) });
    held.dispose();
    expect(model.quota?.tightest?.used).toBe(3);
  });
});

describe('notebooks that were saved with keys', () => {
  let heard: string[];

  function secrets(path: string, ids: string[], again?: boolean): void {
    const findings = ids.map(id => ({ id }));
    sockets.newest.say({ type: 'secrets', path, findings, ...(again ? { again } : {}) });
  }

  beforeEach(() => {
    heard = [];
    model.saved.connect((_, { path, findings }) => {
      heard.push(`${path} ${findings.map(one => one.id).join()}`);
    });
  });

  it('are told as they change', () => {
    model.hold();
    secrets('a.ipynb', ['x', 'y']);
    secrets('a.ipynb', ['x', 'y']);
    secrets('b.ipynb', ['x']);
    secrets('a.ipynb', []);
    expect(heard).toEqual(['a.ipynb x,y', 'b.ipynb x', 'a.ipynb ']);
  });

  it('are no news where they were so before the page came, and are told after a pause', () => {
    let held = model.hold();
    secrets('old.ipynb', ['x'], true);
    sockets.newest.say({ type: 'quota', data: quotaOf(1) });
    expect(heard).toEqual([]);
    held.dispose();
    held = model.hold();
    secrets('old.ipynb', ['x'], true);
    secrets('meanwhile.ipynb', ['z'], true);
    expect(heard).toEqual(['meanwhile.ipynb z']);
    held.dispose();
  });

  it('no connection is opened for them', () => {
    expect(sockets.opened).toHaveLength(0);
  });
});

describe('a connection that breaks', () => {
  it('is tried again, less and less often, and at most once a minute or so', async () => {
    model.hold();
    sockets.newest.say({ type: 'quota', data: quotaOf(3) });
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      const before = sockets.opened.length;
      const start = Date.now();
      await cut();
      expect(model.state).toBe('lost');
      while (sockets.opened.length === before && Date.now() - start < 100_000) {
        await vi.advanceTimersByTimeAsync(50);
      }
      pauses.push(Date.now() - start);
    }
    expect(pauses[0]).toBeLessThan(1_500);
    expect(pauses[3]).toBeGreaterThan(5_000);
    expect(Math.max(...pauses)).toBeLessThan(80_000);
    expect(model.quota?.tightest?.used).toBe(3);
    sockets.newest.say({ type: 'quota', data: quotaOf(4) });
    expect(model.state).toBe('live');
  });

  it('is not tried again once nobody looks', async () => {
    const held = model.hold();
    sockets.newest.say({ type: 'quota', data: quotaOf(3) });
    await cut();
    held.dispose();
    await vi.advanceTimersByTimeAsync(200_000);
    expect(sockets.opened).toHaveLength(1);
    expect(model.state).toBe('off');
  });
});

describe('a server without the extension', () => {
  beforeEach(async () => {
    sockets.status = 404;
    model.hold();
    await cut();
  });

  it('is left alone', async () => {
    expect(model.state).toBe('missing');
    model.hold().dispose();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(sockets.opened).toHaveLength(1);
    expect(model.quota).toBeNull();
  });

  it('is asked again when the page comes back', () => {
    look('hidden');
    look('visible');
    sockets.newest.say({ type: 'quota', data: quotaOf(1) });
    expect(model.state).toBe('live');
  });
});

it('a proxy that lets no websocket through still shows the quota once', async () => {
  model.hold();
  await cut();
  expect(model.state).toBe('lost');
  expect(model.quota?.tightest?.used).toBe(1);
});
