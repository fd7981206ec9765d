/** The option table and the models, asked of the server once, when the first cell needs them. */

import { Signal, type ISignal } from '@lumino/signaling';
import { ask } from '../request';
import type { FindOption, IOption } from './head';

/** A model that a backend has, and what it can do. */
export interface IModel {
  readonly backend: string;
  readonly model: string;
  readonly can: readonly string[];
}

/** How a route of the server is asked. */
export type Ask = <T>(route: string) => Promise<T>;

export class OptionTable {
  constructor(private readonly _ask: Ask = ask) {}

  /** Emitted when the table has come. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The option written so; see `FindOption`. */
  readonly find: FindOption = word => {
    if (this._options === null) {
      return undefined;
    }
    const named = word.startsWith('--')
      ? (one: IOption): boolean => one.name === word.slice(2)
      : (one: IOption): boolean => one.short === word.slice(1);
    return this._options.find(named) ?? null;
  };

  /** Ask for the table unless it is there or on its way; whether it is there then. */
  async load(): Promise<boolean> {
    this._loading ??= this._ask<IOption[]>('options').then(
      options => {
        this._options = options;
        this._changed.emit();
      },
      () => {
        this._loading = null; // the next who needs it asks again
      }
    );
    await this._loading;
    return this._options !== null;
  }

  /**
   * The models of all backends; empty where the server does not say.
   *
   * @param anew - ask again: backends come and go
   */
  async models(anew = false): Promise<readonly IModel[]> {
    if (anew) {
      this._models = null;
    }
    this._models ??= this._ask<IModel[]>('models').catch(() => {
      this._models = null;
      return [];
    });
    return this._models;
  }

  private _options: readonly IOption[] | null = null;
  private _loading: Promise<void> | null = null;
  private _models: Promise<readonly IModel[]> | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
