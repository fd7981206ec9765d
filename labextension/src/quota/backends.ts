/** Who can answer: the backends of the user's configuration, as the server knows them. */

import { VDomModel } from '@jupyterlab/ui-components';
import { ask, Refused } from '../request';
import type { IBackend, INewBackend, IPreset, ITest } from './contract';

/** What a test of a connection found, or that it is on its way. */
export type Tested = ITest | 'running';

export class BackendsModel extends VDomModel {
  /** Null until the server has answered. */
  backends: IBackend[] | null = null;
  presets: IPreset[] = [];
  /** Why the newest question for the list was refused. */
  problem: Refused | null = null;
  readonly tests = new Map<string, Tested>();

  constructor(private readonly server: typeof ask = ask) {
    super();
  }

  /** Ask for the list; where the server refuses, what is known stays. */
  async refresh(): Promise<void> {
    try {
      this.backends = await this.server<IBackend[]>('backends');
      this.problem = null;
    } catch (error) {
      this.problem = refused(error);
    }
    this.emit();
  }

  /** Ask for the presets of the form, once. */
  async loadPresets(): Promise<void> {
    if (this.presets.length === 0) {
      this.presets = await this.server<IPreset[]>('presets');
      this.emit();
    }
  }

  /** Whether the service answers and takes the key; no quota is used. */
  async test(name: string): Promise<void> {
    this.tests.set(name, 'running');
    this.emit();
    let found: ITest;
    try {
      found = await this.server<ITest>(`backends/${encodeURIComponent(name)}/test`, {});
    } catch (error) {
      const { message, next } = refused(error);
      found = { ok: false, seconds: 0, message, next, models: [] };
    }
    this.tests.set(name, found);
    this.emit();
  }

  /** @throws Refused, as when the name is taken */
  async add(backend: INewBackend): Promise<void> {
    await this.server<IBackend>('backends', backend);
    this.tests.delete(backend.name);
    await this.refresh();
  }

  /** @throws Refused, as when the backend is not of the user's file */
  async remove(name: string): Promise<void> {
    await this.server<undefined>(`backends/${encodeURIComponent(name)}`, undefined, 'DELETE');
    this.tests.delete(name);
    await this.refresh();
  }

  private emit(): void {
    if (!this.isDisposed) {
      this.stateChanged.emit(undefined);
    }
  }
}

export function refused(error: unknown): Refused {
  return error instanceof Refused ? error : new Refused(String(error), null, 0);
}
