/** A server of the contract in the page: routes that answer from a table, and a websocket. */

import { ServerConnection } from '@jupyterlab/services';
import type { ask } from '../../src/request';
import { Refused } from '../../src/request';
import type { IBackend, IMeter, IQuota, IRequest, IWindow } from '../../src/quota/contract';

/** `asked` are the questions so far, as `VERB route`; an answer that is a Refused is thrown. */
export class Routes {
  readonly asked: string[] = [];
  readonly bodies: unknown[] = [];

  constructor(readonly answers: Record<string, unknown>) {}

  readonly ask = ((route: string, body?: unknown, method?: string): Promise<unknown> => {
    const question = `${method ?? (body === undefined ? 'GET' : 'POST')} ${route}`;
    this.asked.push(question);
    this.bodies.push(structuredClone(body));
    const answer = this.answers[question];
    return answer instanceof Refused || answer === undefined
      ? Promise.reject(answer ?? new Refused(`No route ${question}`, null, 404))
      : Promise.resolve(answer);
  }) as typeof ask;
}

/** Sockets as the server sees them. */
export class Sockets {
  readonly opened: Socket[] = [];
  /** What a plain request for the quota is answered. */
  status = 200;

  readonly settings = ServerConnection.makeSettings({
    baseUrl: 'http://lab.test/',
    wsUrl: 'ws://lab.test/',
    WebSocket: socketClass(this.opened),
    fetch: () => Promise.resolve(new Response(JSON.stringify(quotaOf(1)), { status: this.status }))
  });

  get newest(): Socket {
    const socket = this.opened.at(-1);
    if (socket === undefined) {
      throw new Error('no socket was opened');
    }
    return socket;
  }

  get open(): number {
    return this.opened.filter(socket => !socket.closed).length;
  }
}

export class Socket {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;

  constructor(readonly url: string) {}

  close(): void {
    this.closed = true;
    queueMicrotask(() => this.onclose?.());
  }

  say(message: unknown): void {
    const data = typeof message === 'string' ? message : JSON.stringify(message);
    this.onmessage?.(new MessageEvent('message', { data }));
  }
}

function socketClass(opened: Socket[]): typeof WebSocket {
  return class extends Socket {
    constructor(url: string) {
      super(url);
      opened.push(this);
    }
  } as unknown as typeof WebSocket;
}

export function windowOf(used: number, more: Partial<IWindow> = {}): IWindow {
  return {
    window: 'RPD',
    used,
    limit: 20,
    provenance: 'user',
    note: 'your own',
    resets_at: null,
    state: 'ok',
    ...more
  };
}

export function meterOf(windows: IWindow[], more: Partial<IMeter> = {}): IMeter {
  return {
    backend: 'studio',
    kind: 'google',
    model: 'gemini-2.5-flash',
    project: 'tides',
    tier: 'free',
    state: 'ok',
    windows,
    ...more
  };
}

/** A quota of one meter, with so many of 20 requests used. */
export function quotaOf(used: number, more: Partial<IQuota> = {}): IQuota {
  const window = windowOf(used);
  return {
    tightest: { ...window, backend: 'studio', model: 'gemini-2.5-flash', project: 'tides' },
    text: `RPD ${used}/20 · 2.5-flash`,
    meters: [meterOf([window])],
    budget: [],
    at: 1_800_000_000,
    problem: null,
    ...more
  };
}

export function requestOf(at: number, more: Partial<IRequest> = {}): IRequest {
  return {
    at,
    seconds: 1.25,
    backend: 'studio',
    model: 'gemini-2.5-flash',
    input_tokens: 1_250,
    output_tokens: 40,
    price: null,
    status: 'STOP',
    cached: false,
    notebook: 'tides.ipynb',
    cell_id: 'cell-1',
    prompt: 'When is high water?',
    ...more
  };
}

export function backendOf(name: string, more: Partial<IBackend> = {}): IBackend {
  return {
    name,
    kind: 'openai',
    base_url: 'http://127.0.0.1:9/v1',
    models: [],
    model: 'a-model',
    key: { needed: true, found: true, where: 'the keyring', kernels: [] },
    project: null,
    tier: null,
    state: 'ready',
    exhausted_until: null,
    in_route: false,
    own: true,
    ...more
  };
}
