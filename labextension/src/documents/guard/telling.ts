/** Tells of keys that were saved: the badges of a notebook, and one notification for each key. */

import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type { IKey } from './model';

/** Shows how many keys were saved. */
export interface ICounter {
  count: number;
}

/** Several views of a notebook, and the server, find the same keys; each is told once. */
export class Telling<C extends object> {
  /**
   * @param quiet - whether the user knows of this key
   * @param notify - tells of one
   */
  constructor(
    private readonly quiet: (key: IKey, context: C) => boolean,
    private readonly notify: (key: IKey, context: C) => void
  ) {}

  /** Have a view of the notebook count, until disposed. */
  add(context: C, counter: ICounter): IDisposable {
    const { counters } = this.of(context);
    counters.add(counter);
    return new DisposableDelegate(() => {
      counters.delete(counter);
    });
  }

  /**
   * These are the keys with which the notebook was saved.
   *
   * @param at - when, by `performance.now()`; what is known of a later save stays
   */
  found(context: C, keys: IKey[], at = performance.now()): void {
    const known = this.of(context);
    if (at < known.at) {
      return;
    }
    known.at = at;
    known.count = keys.length;
    for (const counter of known.counters) {
      counter.count = keys.length;
    }
    for (const key of keys) {
      if (!known.told.has(key.id) && !this.quiet(key, context)) {
        known.told.add(key.id);
        this.notify(key, context);
      }
    }
  }

  /** How many keys the notebook was saved with, as far as is known. */
  count(context: C): number {
    return this.of(context).count;
  }

  private of(context: C): IKnown {
    const known = this.known.get(context) ?? {
      at: 0,
      count: 0,
      counters: new Set(),
      told: new Set()
    };
    this.known.set(context, known);
    return known;
  }

  private readonly known = new WeakMap<C, IKnown>();
}

interface IKnown {
  at: number;
  count: number;
  counters: Set<ICounter>;
  /** The keys that were told of. */
  told: Set<string>;
}
