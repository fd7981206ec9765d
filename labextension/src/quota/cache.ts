/** The answers that are kept, so that running all again costs nothing. */

import { VDomModel } from '@jupyterlab/ui-components';
import { ask, type Refused } from '../request';
import { refused } from './backends';
import type { ICache } from './contract';

export class CacheModel extends VDomModel {
  /** Null until the server has answered. */
  size: ICache | null = null;
  problem: Refused | null = null;

  constructor(private readonly server: typeof ask = ask) {
    super();
  }

  async refresh(): Promise<void> {
    await this.attempt(async () => {
      this.size = await this.server<ICache>('cache');
    });
  }

  /** Delete all kept answers. */
  async clear(): Promise<void> {
    await this.attempt(async () => {
      await this.server<undefined>('cache', undefined, 'DELETE');
      this.size = await this.server<ICache>('cache');
    });
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.problem = null;
    } catch (error) {
      this.problem = refused(error);
    }
    if (!this.isDisposed) {
      this.stateChanged.emit(undefined);
    }
  }
}
