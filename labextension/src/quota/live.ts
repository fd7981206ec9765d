/** What all kernels of the server use, as it happens: one websocket for all views that show it. */

import { ServerConnection } from '@jupyterlab/services';
import { VDomModel } from '@jupyterlab/ui-components';
import { Token } from '@lumino/coreutils';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';
import { ask, Refused, socketAddress } from '../request';
import type { IQuota, IRequest, ISaved, LiveMessage } from './contract';

/** Milliseconds before the first attempt to connect again, and the longest such pause. */
const SHORTEST = 1_000;
const LONGEST = 60_000;

/**
 * - `off`: no visible view asks, or the page is hidden
 * - `connecting`: the first connection is on its way
 * - `live`: what is shown is so
 * - `lost`: the connection broke; it is tried again, less and less often
 * - `missing`: this server has no such route; it is asked again when the page comes back
 */
export type LiveState = 'off' | 'connecting' | 'live' | 'lost' | 'missing';

export interface ILive extends VDomModel {
  readonly state: LiveState;
  /** The newest that is known; null if nothing is. */
  readonly quota: IQuota | null;
  /** The newest requests of all kernels, newest first; null if not known. */
  readonly requests: IRequest[] | null;
  /** Grows with each change of what kernels report of their keys; 0 if not known. */
  readonly kernels: number;
  /** A notebook was saved with other keys than before; heard while somebody holds the model. */
  readonly saved: ISignal<ILive, ISaved>;
  /** Ask for news until disposed; connected while anybody asks and the page is seen. */
  hold(): IDisposable;
}

/** Others may come: a newer server's. */
type Message = LiveMessage | { type: 'other' };

export const ILive = new Token<ILive>(
  'gemini-magic:ILive',
  'Quota and requests of all kernels, live over one websocket.'
);

export class LiveModel extends VDomModel implements ILive {
  state: LiveState = 'off';
  quota: IQuota | null = null;
  requests: IRequest[] | null = null;
  kernels = 0;
  readonly saved: Signal<ILive, ISaved> = new Signal(this);

  constructor(private readonly settings = ServerConnection.makeSettings()) {
    super();
    document.addEventListener('visibilitychange', this.look);
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    document.removeEventListener('visibilitychange', this.look);
    this.holders = 0;
    this.close();
    super.dispose();
  }

  hold(): IDisposable {
    this.holders += 1;
    this.look();
    return new DisposableDelegate(() => {
      this.holders -= 1;
      this.look();
    });
  }

  /** Connect or disconnect, as somebody looks or not. */
  private readonly look = (): void => {
    const wanted = this.holders > 0 && document.visibilityState !== 'hidden' && !this.isDisposed;
    if (wanted && this.state === 'off') {
      this.failures = 0;
      this.connect('connecting');
    } else if (!wanted && this.state !== 'off' && !this.idle()) {
      this.close();
      this.become('off');
    }
  };

  /** Whether the route is known to be missing and the page is still seen: no reason to ask anew. */
  private idle(): boolean {
    return this.state === 'missing' && document.visibilityState !== 'hidden';
  }

  private connect(state: LiveState): void {
    this.become(state);
    const socket = new this.settings.WebSocket(socketAddress('live', this.settings));
    this.socket = socket;
    socket.onmessage = (event: MessageEvent): void => {
      this.hear(event.data);
    };
    socket.onclose = (): void => {
      if (this.socket === socket) {
        this.socket = null;
        void this.recover();
      }
    };
  }

  private hear(text: unknown): void {
    let message: Message;
    try {
      message = JSON.parse(String(text)) as Message;
    } catch {
      return; // A proxy's word, not the server's.
    }
    this.failures = 0;
    if (message.type === 'quota') {
      this.quota = message.data;
    } else if (message.type === 'requests') {
      this.requests = message.data;
    } else if (message.type === 'kernels') {
      this.kernels = message.data;
    } else if (message.type === 'secrets') {
      this.hearOfKeys(message, message.again === true && this.quota === null);
    }
    this.become('live', true);
  }

  /** What was saved before this page began to listen is no news (`old`), nor what it heard of. */
  private hearOfKeys({ path, findings }: ISaved, old: boolean): void {
    const ids = findings.map(one => one.id).join();
    if (this.heard.get(path) !== ids) {
      this.heard.set(path, ids);
      if (!old) {
        this.saved.emit({ path, findings });
      }
    }
  }

  /** After the connection broke: a missing route is left alone, everything else tried again. */
  private async recover(): Promise<void> {
    const missing = this.state === 'connecting' && (await this.isMissing());
    if (this.state === 'off' || this.socket !== null) {
      return; // Nobody looks any more, or somebody looks anew.
    }
    if (missing) {
      this.become('missing');
      return;
    }
    this.become('lost');
    const pause = Math.min(LONGEST, SHORTEST * 2 ** this.failures) * (0.75 + Math.random() / 2);
    this.failures += 1;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.connect('lost');
    }, pause);
  }

  /** A websocket does not tell why it was refused; a plain request does. */
  private async isMissing(): Promise<boolean> {
    try {
      this.quota = await ask<IQuota>('quota', undefined, undefined, this.settings);
      return false;
    } catch (error) {
      return error instanceof Refused && error.status === 404;
    }
  }

  private close(): void {
    window.clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private become(state: LiveState, news = false): void {
    if (this.state !== state || news) {
      this.state = state;
      this.stateChanged.emit(undefined);
    }
  }

  /** The keys with which notebooks were saved, as far as was heard. */
  private readonly heard = new Map<string, string>();
  private holders = 0;
  private failures = 0;
  private timer = 0;
  private socket: WebSocket | null = null;
}
