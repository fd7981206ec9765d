/** Who can answer, as the tools of a cell name them. */

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
): { backend: string; model?: string; label: string; can: boolean } {
  const bare = model?.slice(model.indexOf(':') + 1);
  const has = models.some(row => row.backend === one.name && row.model === bare);
  const kept = bare !== undefined && has ? { model: bare } : {};
  const name = [one.name, kept.model ?? one.model].filter(Boolean).join(' · ');
  const label =
    one.state === 'no key'
      ? trans.__('Run on %1 (no key)', name)
      : one.state === 'exhausted'
        ? trans.__('Run on %1 (quota exhausted)', name)
        : trans.__('Run on %1', name);
  return { backend: one.name, ...kept, label, can: one.state !== 'no key' };
}

/** The models of the backends that could answer, as `--compare` and `-m` name them. */
export function namesOf(backends: readonly IBackend[], models: readonly IModel[]): string[] {
  return backends
    .filter(one => one.state !== 'no key')
    .flatMap(({ name }) => {
      const own = models.filter(row => row.backend === name);
      return own.length > 0 ? own.map(row => `${name}:${row.model}`) : [name];
    });
}
