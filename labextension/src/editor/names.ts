/**
 * Who can answer, as the tools of a cell name them.
 *
 * The server finds the keys of its own environment alone; a kernel may have others. So a key that
 * was not found is told, and keeps nobody from asking.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IBackend } from '../quota/contract';
import type { IModel } from './options';

/**
 * A backend's line in the menu, as arguments of its command.
 *
 * @param model - what the cell asks now; it is kept where the backend has it
 */
export function itemOf(
  one: IBackend,
  model: string | null,
  models: readonly IModel[],
  trans: TranslationBundle
): { backend: string; model?: string; label: string } {
  const bare = model?.slice(model.indexOf(':') + 1);
  const has = models.some(row => row.backend === one.name && row.model === bare);
  const kept = bare !== undefined && has ? { model: bare } : {};
  const name = [one.name, kept.model ?? one.model].filter(Boolean).join(' · ');
  const label =
    one.state === 'no key'
      ? trans.__('Run on %1 (no key found)', name)
      : one.state === 'exhausted'
        ? trans.__('Run on %1 (quota exhausted)', name)
        : trans.__('Run on %1', name);
  return { backend: one.name, ...kept, label };
}

/** A model that may be compared. */
export interface IChoice {
  /** As `--compare` and `-m` name it. */
  readonly name: string;
  readonly label: string;
}

/** The models of the backends; a backend without known ones is its own default. */
export function choicesOf(
  backends: readonly IBackend[],
  models: readonly IModel[],
  trans: TranslationBundle
): IChoice[] {
  return backends.flatMap(one => {
    const own = models.filter(row => row.backend === one.name);
    const names = own.length > 0 ? own.map(row => `${one.name}:${row.model}`) : [one.name];
    return names.map(name => ({
      name,
      label: one.state === 'no key' ? trans.__('%1 (no key found)', name) : name
    }));
  });
}
