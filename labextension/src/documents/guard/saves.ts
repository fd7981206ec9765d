/** Saves the notebooks that were meant when the user said so, whatever is in front by then. */

import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Goes } from './intercept';

/** What is open, as the commands that save see it. */
export interface IOpen<C> {
  /** The notebook in front. */
  current: () => C | undefined;
  /** Bring a notebook to the front. */
  show: (context: C) => void;
  /** The notebooks with changes that were not saved. */
  dirty: () => C[];
  /** All documents that can be saved. */
  all: () => DocumentRegistry.Context[];
}

/**
 * What is put before the commands that save.
 *
 * @param suspect - whether a notebook may hold a key
 * @param pass - whether it may be saved; asks
 */
export function guardSaves<C extends DocumentRegistry.Context>(
  open: IOpen<C>,
  suspect: (context: C) => boolean,
  pass: (context: C) => Promise<boolean>
): (command: string) => Promise<Goes> | null {
  const one = async (context: C, command: string): Promise<Goes> => {
    if (!(await pass(context)) || context.isDisposed) {
      return false;
    }
    if (open.current() === context) {
      return true;
    }
    if (command === 'docmanager:save') {
      return () => saveAndKeep(context);
    }
    open.show(context); // it asks for a name, and is about what is in front
    return open.current() === context;
  };

  const all = async (suspects: C[]): Promise<Goes> => {
    const refused = new Set<DocumentRegistry.Context>();
    for (const context of suspects) {
      if (!(await pass(context))) {
        refused.add(context);
      }
    }
    const others = (): DocumentRegistry.Context[] => open.all().filter(it => !refused.has(it));
    return refused.size === 0 || (() => Promise.all(others().map(it => it.save())));
  };

  return command => {
    if (command === 'docmanager:save-all') {
      const suspects = [...new Set(open.dirty())].filter(suspect);
      return suspects.length === 0 ? null : all(suspects);
    }
    const context = open.current();
    return context !== undefined && suspect(context) ? one(context, command) : null;
  };
}

/** Save as `docmanager:save` does: what can be gone back to is what was saved last. */
export async function saveAndKeep(context: DocumentRegistry.Context): Promise<void> {
  await context.save();
  if (!context.isDisposed) {
    await context.createCheckpoint();
  }
}
