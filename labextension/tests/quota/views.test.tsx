import './page';
import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BackendsModel } from '../../src/quota/backends';
import { CacheModel } from '../../src/quota/cache';
import { GalleryModel } from '../../src/quota/gallery';
import { HistoryModel } from '../../src/quota/history';
import { Jumper } from '../../src/quota/jump';
import type { IKernelKey } from '../../src/quota/contract';
import { LiveModel } from '../../src/quota/live';
import { Sidebar } from '../../src/quota/sidebar';
import { StatusItem } from '../../src/quota/statusItem';
import { Refused } from '../../src/request';
import { backendOf, meterOf, quotaOf, requestOf, Routes, Sockets, windowOf } from './server';

const trans = nullTranslator.load('gemini_magic');
const KEY = 'sk-TESTKEYtestkeyTESTKEY';

let sockets: Sockets;
let live: LiveModel;
let shown: Widget[];

beforeEach(() => {
  sockets = new Sockets();
  live = new LiveModel(sockets.settings);
  shown = [];
});

afterEach(() => {
  for (const widget of shown) {
    widget.dispose();
  }
  live.dispose();
});

function show<T extends Widget>(widget: T): T {
  Widget.attach(widget, document.body);
  shown.push(widget);
  return widget;
}

/** Wait until an element is there. */
async function find(root: HTMLElement, selector: string): Promise<HTMLElement> {
  return vi.waitFor(
    () => {
      const found = root.querySelector<HTMLElement>(selector);
      if (found === null) {
        throw new Error(`no ${selector} in ${root.innerHTML}`);
      }
      return found;
    },
    { timeout: 30_000 }
  );
}

async function until(check: () => void): Promise<void> {
  await vi.waitFor(check, { timeout: 30_000 });
}

async function say(...messages: unknown[]): Promise<void> {
  await until(() => {
    expect(sockets.open).toBe(1);
  });
  for (const message of messages) {
    sockets.newest.say(message);
  }
}

describe('the status bar’s meter', () => {
  let clicks: number;
  let item: StatusItem;

  beforeEach(() => {
    clicks = 0;
    item = show(
      new StatusItem(live, trans, () => {
        clicks += 1;
      })
    );
  });

  it('is not there before there is something to say', async () => {
    expect(item.hasClass('jp-gemini-mod-empty')).toBe(true);
    await say({ type: 'quota', data: quotaOf(0, { tightest: null, text: null, meters: [] }) });
    expect(item.hasClass('jp-gemini-mod-empty')).toBe(true);
    await say({ type: 'quota', data: quotaOf(7) });
    expect(item.hasClass('jp-gemini-mod-empty')).toBe(false);
  });

  it('is a meter with a name, values and a state, and a button', async () => {
    await say({ type: 'quota', data: quotaOf(7) });
    const meter = await find(item.node, '[role=meter]');
    expect(meter.getAttribute('aria-label')).toBe('Gemini quota');
    expect(meter.getAttribute('aria-valuenow')).toBe('7');
    expect(meter.getAttribute('aria-valuemax')).toBe('20');
    expect(meter.getAttribute('aria-valuetext')).toBe('7 of 20 requests per day, available');
    const button = await find(item.node, 'button');
    expect(button.textContent).toBe('RPD 7/20 · 2.5-flash');
    button.click();
    expect(clicks).toBe(1);
  });

  it('shows what comes, and what is no longer known', async () => {
    const full = windowOf(20, { state: 'empty' });
    const tightest = { ...full, backend: 'studio', model: 'gemini-2.5-flash', project: null };
    await say({ type: 'quota', data: quotaOf(20, { tightest }) });
    await find(item.node, '[data-state=empty] button');
    sockets.newest.close();
    await find(item.node, '[data-state=unknown] button');
  });

  it('lets go of the connection while it is hidden', async () => {
    await say({ type: 'quota', data: quotaOf(7) });
    item.hide();
    await until(() => {
      expect(sockets.open).toBe(0);
    });
    item.show();
    await until(() => {
      expect(sockets.open).toBe(1);
    });
  });

  it('has all meters in a pop-up while the pointer is on it', async () => {
    const pro = meterOf([windowOf(50, { limit: 50, state: 'empty' })], { model: 'pro' });
    await say({ type: 'quota', data: quotaOf(7, { meters: [pro, ...quotaOf(7).meters] }) });
    item.node.dispatchEvent(new Event('pointerenter'));
    const popup = await find(document.body, '.jp-gemini-Popup');
    await until(() => {
      expect(popup.querySelectorAll('[role=meter]')).toHaveLength(2);
    });
    item.node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    expect(document.querySelector('.jp-gemini-Popup')).toBeNull();
  });
});

describe('the side bar', () => {
  const PRESET = {
    preset: 'openai',
    kind: 'openai',
    base_url: 'https://openai.test/v1',
    key_env: 'OPENAI_API_KEY',
    needs_project: false,
    title: 'OpenAI'
  };
  const OTHER = {
    ...PRESET,
    preset: 'custom',
    base_url: null,
    key_env: null,
    title: 'Another OpenAI-compatible address'
  };
  let routes: Routes;
  let sidebar: Sidebar;

  beforeEach(() => {
    const point = (requests: number): object => ({
      at: requests,
      requests,
      tokens: 1,
      price: null
    });
    routes = new Routes({
      'GET backends': [
        backendOf('studio'),
        backendOf('bare', {
          state: 'no key',
          key: { needed: true, found: false, where: null, kernels: [] }
        })
      ],
      'GET presets': [PRESET, OTHER],
      'GET cache': { replies: 2, bytes: 1_500 },
      'GET quota/history?model=gemini-2.5-flash&backend=studio': {
        hours: [1, 5, 2].map(point),
        days: [0].map(point)
      }
    });
    sidebar = show(
      new Sidebar(
        {
          live,
          backends: new BackendsModel(routes.ask),
          history: new HistoryModel(routes.ask),
          gallery: new GalleryModel(null),
          cache: new CacheModel(routes.ask),
          jumper: new Jumper(null, null, () => undefined)
        },
        trans
      )
    );
  });

  function field(name: string): HTMLInputElement {
    const found = sidebar.node.querySelector(`form [name=${name}]`);
    if (found === null) {
      throw new Error(`no field ${name}`);
    }
    return found as HTMLInputElement;
  }

  function fill(name: string, value: string): void {
    field(name).value = value;
  }

  /** Choose the one entry for any other address. */
  async function chooseOther(): Promise<void> {
    const select = (await find(sidebar.node, 'select[name=preset]')) as HTMLSelectElement;
    const titles = [...select.options].map(one => one.text);
    expect(titles.filter(title => /address/.test(title))).toEqual(['Another address …']);
    select.value = select.options[titles.indexOf('Another address …')]?.value ?? '?';
    select.dispatchEvent(new Event('change', { bubbles: true }));
    await find(sidebar.node, 'select[name=kind]');
  }

  async function openForm(): Promise<HTMLFormElement> {
    sidebar.reveal('backends', true);
    const form = await find(sidebar.node, 'form');
    await until(() => {
      expect(field('name').value).toBe('openai');
    });
    return form as HTMLFormElement;
  }

  it('has a meter for each window, and its history in words', async () => {
    await say({ type: 'quota', data: quotaOf(7) });
    const picture = await find(sidebar.node, 'svg[role=img]');
    expect(picture.getAttribute('aria-label')).toMatch(
      /2.5-flash: 8 requests in 3 hours, most .*5/
    );
    expect(picture.querySelectorAll('rect')).toHaveLength(3);
    const meter = await find(sidebar.node, '[data-section=quota] [role=meter]');
    expect(meter.getAttribute('aria-label')).toBe('RPD of gemini-2.5-flash');
  });

  it('says calmly where nothing is known', async () => {
    sockets.status = 404;
    await until(() => {
      expect(sockets.open).toBe(1);
    });
    sockets.newest.close();
    await until(() => {
      expect(sidebar.node.textContent).toContain('does not know gemini_magic');
    });
  });

  it('lists backends with their state, and tests them', async () => {
    routes.answers['POST backends/bare/test'] = {
      ok: false,
      seconds: 0,
      message: 'There is no key.',
      next: 'Set BARE_KEY.',
      models: []
    };
    const bare = await find(sidebar.node, '[data-backend=bare]');
    expect(bare.textContent).toContain('no key');
    const button = await find(bare, 'button[aria-label="Test connection of bare"]');
    button.click();
    const result = await find(bare, '[data-ok=false]');
    expect(result.textContent).toContain('There is no key. Set BARE_KEY.');
  });

  it('lists requests, drawing what they say as text', async () => {
    const prompt = '<img src=x onerror=alert(1)>';
    await say({ type: 'requests', data: [requestOf(7, { prompt }), requestOf(6)] });
    await until(() => {
      expect(sidebar.node.querySelectorAll('[data-section=requests] li')).toHaveLength(2);
    });
    const first = await find(sidebar.node, '[data-section=requests] li');
    expect(first.textContent).toContain(prompt);
    expect(first.textContent).toContain('1.2k → 40 tokens');
    expect(first.querySelector('img')).toBeNull();
  });

  it('what is folded is not drawn; buttons say so', async () => {
    const title = await find(sidebar.node, '[data-section=cache] h3 button');
    expect(title.getAttribute('aria-expanded')).toBe('true');
    title.click();
    await until(() => {
      expect(title.getAttribute('aria-expanded')).toBe('false');
    });
    expect(sidebar.node.querySelector('.jp-gemini-Cache')).toBeNull();
  });

  it('does not listen while it is hidden, and keeps what was typed', async () => {
    await openForm();
    fill('name', 'mine');
    sidebar.hide();
    await until(() => {
      expect(sockets.open).toBe(0);
    });
    sidebar.show();
    await until(() => {
      expect(sockets.open).toBe(1);
    });
    expect(field('name').value).toBe('mine');
  });

  it('a new backend is posted with its key, which is then nowhere', async () => {
    routes.answers['POST backends'] = backendOf('work');
    const form = await openForm();
    fill('name', 'work');
    fill('key', KEY);
    expect(field('key').type).toBe('password');
    form.requestSubmit();
    await until(() => {
      expect(routes.asked).toContain('POST backends');
      expect(sidebar.node.querySelector('form')).toBeNull();
    });
    const posted = routes.bodies[routes.asked.indexOf('POST backends')];
    expect(posted).toEqual({ name: 'work', preset: 'openai', key: KEY });
    expect(document.documentElement.outerHTML).not.toContain(KEY);
  });

  it('a refusal is told in the form, and nothing has to be typed again', async () => {
    routes.answers['POST backends'] = new Refused('work is there.', 'Take another name.', 409);
    const form = await openForm();
    fill('name', 'work');
    fill('key', KEY);
    form.requestSubmit();
    const problem = await find(form, '[role=alert]');
    expect(problem.textContent).toBe('work is there. Take another name.');
    expect(field('key').value).toBe(KEY);
    expect(field('name').value).toBe('work');
  });

  it('a key stays in its field while the service is chosen, and no longer than the form', async () => {
    const form = await openForm();
    fill('key', KEY);
    const held = field('key');
    await chooseOther();
    expect(field('key')).toBe(held);
    expect(held.value).toBe(KEY);
    (await find(form, '.jp-mod-reject')).click();
    await until(() => {
      expect(sidebar.node.querySelector('form')).toBeNull();
      expect(held.value).toBe('');
    });
  });

  it('where there is no keyring, a file is used only if the user says so', async () => {
    routes.answers['POST backends'] = new Refused('May a file keep it?', null, 428);
    const form = await openForm();
    fill('key', KEY);
    form.requestSubmit();
    const dialog = await find(document.body, '.jp-Dialog');
    expect(dialog.textContent).toContain('May a file keep it?');
    (await find(dialog, '.jp-mod-reject')).click();
    await find(form, '[role=alert]');
    form.requestSubmit();
    const again = await find(document.body, '.jp-Dialog .jp-mod-accept');
    routes.answers['POST backends'] = backendOf('openai');
    again.click();
    await until(() => {
      expect(sidebar.node.querySelector('form')).toBeNull();
    });
    const posted = routes.bodies.filter((_, index) => routes.asked[index] === 'POST backends');
    expect(posted).toEqual([
      { name: 'openai', preset: 'openai', key: KEY },
      { name: 'openai', preset: 'openai', key: KEY },
      { name: 'openai', preset: 'openai', key: KEY, key_file: true }
    ]);
  });

  it('an address of one’s own needs no preset', async () => {
    routes.answers['POST backends'] = backendOf('mine');
    const form = await openForm();
    await chooseOther();
    expect(field('base_url').required).toBe(true);
    fill('name', 'mine');
    fill('base_url', 'http://127.0.0.1:9/v1');
    form.requestSubmit();
    await until(() => {
      expect(routes.asked).toContain('POST backends');
    });
    expect(routes.bodies[routes.asked.indexOf('POST backends')]).toEqual({
      name: 'mine',
      kind: 'openai',
      base_url: 'http://127.0.0.1:9/v1'
    });
  });

  it.each([
    [[], 'No key found'],
    [[['harbour.ipynb', null]], 'No key: the kernel of harbour.ipynb found none'],
    [
      [
        ['a/tides.ipynb', null],
        [null, null]
      ],
      'No key: the kernels of tides.ipynb, another notebook found none'
    ],
    [[['a.ipynb', 'environment']], 'Key found by 1 kernel (environment)'],
    [
      [
        ['a.ipynb', 'environment'],
        ['b.ipynb', '.env'],
        ['c.ipynb', 'environment']
      ],
      'Key found by 3 kernels (environment, .env file)'
    ],
    [
      [
        ['a.ipynb', 'keyring'],
        ['<b>.ipynb', null]
      ],
      'Key found by 1 kernel (keyring); the kernel of <b>.ipynb found none'
    ]
  ] as [[string | null, IKernelKey['where']][], string][])(
    'the kernels’ word on a key: %j',
    async (said, text) => {
      const kernels = said.map(([notebook, where]) => ({ notebook, where }));
      const found = kernels.some(kernel => kernel.where !== null);
      routes.answers['GET backends'] = [
        backendOf('harbour', {
          key: { needed: true, found, where: found ? 'environment' : null, kernels }
        })
      ];
      await say({ type: 'kernels', data: 1 }); // asks for the list anew
      await until(() => {
        expect(sidebar.node.querySelector('[data-backend=harbour]')?.textContent).toContain(text);
      });
    }
  );

  it('what was stored since the kernels looked is found', async () => {
    const kernels = [{ notebook: 'a.ipynb', where: null }];
    const key = { needed: true, found: true, where: 'the keyring', kernels };
    routes.answers['GET backends'] = [backendOf('harbour', { key })];
    await say({ type: 'kernels', data: 1 });
    await until(() => {
      expect(sidebar.node.textContent).toContain('Key found: the keyring');
    });
  });

  it('everything that can be clicked has a name', async () => {
    await say({ type: 'quota', data: quotaOf(7) }, { type: 'requests', data: [requestOf(7)] });
    await openForm();
    await find(sidebar.node, '.jp-gemini-Cache');
    for (const control of sidebar.node.querySelectorAll('button, input, select')) {
      const label = (control as HTMLInputElement).labels?.[0]?.textContent;
      const name = control.getAttribute('aria-label') ?? label ?? control.textContent;
      expect(name, control.outerHTML).toBeTruthy();
    }
  });
});
