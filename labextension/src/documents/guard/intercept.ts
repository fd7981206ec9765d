/** Puts a question before the commands by which users save; autosave goes by none of them. */

import type { CommandRegistry } from '@lumino/commands';

/** What users save with: menu, toolbar, shortcut and palette all come to these. */
const SAVES = ['docmanager:save', 'docmanager:save-as', 'docmanager:save-all'];

/** Whether a command runs, or what is done in its place. */
export type Goes = boolean | (() => Promise<unknown>);

/**
 * Let `before(command)` have a say. It returns null where the command runs at once, as if nothing
 * had been put before it, else a promise of how it goes on. A failure of it is logged, and the
 * command runs.
 */
export function intercept(
  commands: CommandRegistry,
  before: (command: string) => Promise<Goes> | null
): void {
  const execute = commands.execute.bind(commands);
  const failed = (error: unknown): true => {
    console.error('gemini_magic: the guard failed, and the notebook is saved.', error);
    return true;
  };
  commands.execute = (id, args) => {
    let wait: Promise<Goes> | null = null;
    try {
      wait = SAVES.includes(id) ? before(id) : null;
    } catch (error) {
      failed(error);
    }
    return wait === null
      ? execute(id, args)
      : wait.catch(failed).then((goes): Promise<unknown> | undefined => {
          if (typeof goes === 'function') {
            return goes();
          }
          return goes ? (execute(id, args) as Promise<unknown>) : undefined;
        });
  };
}
