/** Asks once for each key in a notebook, and does what is answered. */

import type { INotebook } from '../notebook';
import { told } from '../problem';
import type { Ask, IFinding } from '../routes';
import { slim } from './patterns';

/** A key, and all its places in the notebook. */
export interface IKey {
  id: string;
  kind: string;
  shown: string;
  places: IFinding[];
}

/** A notebook that is guarded. */
export interface IGuarded {
  name: string;
  /** The keys with which it may be saved. */
  accepted: Set<string>;
  content: () => INotebook;
  /** Change what differs; false, and nothing is changed, if it was changed meanwhile. */
  apply: (before: INotebook, after: INotebook) => boolean;
}

export type Answer =
  { what: 'keyring'; name: string } | { what: 'redact' } | { what: 'keep' } | { what: 'cancel' };

export interface IGuardFace {
  question: (key: IKey, of: IGuarded) => Promise<Answer>;
  /** Why a key is still there; null if the notebook was changed meanwhile. */
  problem: (message: string | null) => Promise<void>;
}

/** Milliseconds in which the server has to say whether a notebook holds keys, where it is saved. */
const PATIENCE = 5_000;

export class Guard {
  constructor(
    private readonly ask: Ask,
    private readonly face: IGuardFace,
    private readonly patience = PATIENCE
  ) {}

  /** The keys in a notebook. Raises where the server cannot tell. */
  async keysIn(content: INotebook): Promise<IKey[]> {
    const { findings } = await this.ask<{ findings: IFinding[] }>('secrets/scan', {
      content: slim(content)
    });
    return byKey(findings);
  }

  /** Whether the user is being asked about a notebook. */
  asks(of: IGuarded): boolean {
    return this._pending.has(of);
  }

  /**
   * Whether a notebook may be saved, after `review`. Where the server cannot tell, or not soon, it
   * may.
   */
  async pass(of: IGuarded): Promise<boolean> {
    try {
      return await this.review(of);
    } catch (error) {
      console.warn(`gemini_magic: ${of.name} was not looked through for keys.`, told(error));
      return true;
    }
  }

  /**
   * Ask for each key that was not accepted; false if the user left the question. A notebook is
   * asked for once at a time: who asks meanwhile gets the same answer. Raises where the server
   * cannot tell, or not soon.
   */
  review(of: IGuarded): Promise<boolean> {
    const pending = this._pending.get(of);
    if (pending !== undefined) {
      return pending;
    }
    const answer = this.askFor(of).finally(() => this._pending.delete(of));
    this._pending.set(of, answer);
    return answer;
  }

  private async askFor(of: IGuarded): Promise<boolean> {
    const keys = await soon(this.keysIn(of.content()), this.patience);
    for (const key of keys) {
      while (!of.accepted.has(key.id)) {
        const answer = await this.face.question(key, of);
        if (answer.what === 'cancel') {
          return false;
        }
        if (answer.what === 'keep') {
          of.accepted.add(key.id);
        } else if (await this.remove(key, answer, of)) {
          break;
        }
      }
    }
    return true;
  }

  /** Take a key out of a notebook; false if it is still there. */
  private async remove(
    key: IKey,
    answer: { what: 'keyring'; name: string } | { what: 'redact' },
    of: IGuarded
  ): Promise<boolean> {
    const content = of.content();
    const [route, how] =
      answer.what === 'redact'
        ? ['secrets/redact', { ids: [key.id] }]
        : ['secrets/keyring', { id: key.id, name: answer.name }];
    try {
      const after = await this.ask<{ content: INotebook }>(route, { content, ...how });
      if (of.apply(content, after.content)) {
        return true;
      }
      await this.face.problem(null);
    } catch (error) {
      await this.face.problem(told(error));
    }
    return false;
  }

  private readonly _pending = new Map<IGuarded, Promise<boolean>>();
}

/** The keys that were found, each with all its places. */
export function byKey(findings: IFinding[]): IKey[] {
  const keys = new Map<string, IKey>();
  for (const finding of findings) {
    const { id, kind, shown } = finding;
    const key = keys.get(id) ?? { id, kind, shown, places: [] };
    key.places.push(finding);
    keys.set(id, key);
  }
  return [...keys.values()];
}

/** A promise that is rejected if it is not kept in so many milliseconds. */
function soon<T>(promise: Promise<T>, patience: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`Jupyter's server has not answered for ${patience / 1_000} s.`));
    }, patience);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}
