/** A migration that is looked at before it is applied. */

import { Signal, type ISignal } from '@lumino/signaling';
import { asksBack, told } from '../problem';
import type { Ask, IMigration, Sdk, Verdict } from '../routes';

export interface IMigrationOptions {
  path: string;
  to: Sdk;
  baseUrl: string;
  ask: Ask;
}

export class MigrationModel {
  constructor(private readonly given: IMigrationOptions) {}

  /** What would change, or did; null until it is known. */
  migration: IMigration | null = null;
  problem: string | null = null;
  /** Why what is shown is no longer what was shown before. */
  news: string | null = null;
  busy = false;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get path(): string {
    return this.given.path;
  }

  get to(): Sdk {
    return this.given.to;
  }

  /** Whether there is something that could be applied. */
  get applies(): boolean {
    const { migration } = this;
    return !this.busy && migration !== null && migration.diff !== '' && !migration.written;
  }

  /** How many places there are of each verdict. */
  get counts(): Record<Verdict, number> {
    const counts = { done: 0, assisted: 0, left: 0 };
    for (const place of this.migration?.places ?? []) {
      counts[place.verdict]++;
    }
    return counts;
  }

  /** Ask what would change. */
  async look(): Promise<void> {
    await this.send({ write: false });
  }

  /**
   * Write what is shown, and nothing else: if the file is another by now, that one's changes are
   * shown instead. Returns whether it was written.
   */
  async apply(): Promise<boolean> {
    const shown = this.migration;
    if (shown === null || !this.applies) {
      return false;
    }
    this.news = null;
    const answer = await this.send({ write: true, before: shown.before });
    if (answer === 'stale') {
      await this.look();
      return false;
    }
    return answer === 'told';
  }

  /** The file was changed elsewhere: what is shown may be out of date. */
  async again(news: string): Promise<void> {
    this.news = news;
    await this.look();
  }

  dispose(): void {
    Signal.clearData(this);
  }

  private async send(
    how: { write: false } | { write: true; before: string }
  ): Promise<'told' | 'stale' | 'failed'> {
    const { path, to, baseUrl, ask } = this.given;
    this.busy = true;
    this._changed.emit();
    try {
      const address = baseUrl === '' ? {} : { base_url: baseUrl };
      this.migration = await ask<IMigration>('migrate', { path, to, ...address, ...how });
      this.problem = null;
      return 'told';
    } catch (error) {
      if (how.write && asksBack(error)) {
        this.news = told(error);
        return 'stale';
      }
      this.problem = told(error);
      return 'failed';
    } finally {
      this.busy = false;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
}
