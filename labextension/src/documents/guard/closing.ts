/** Puts the guard's question before a save that is chosen as a notebook is closed. */

import type { IDocumentManagerDialogs } from '@jupyterlab/docmanager';

/**
 * Let `pass` have a say where a document is to be saved and closed: if it says no, the document
 * stays open, and is not saved.
 *
 * @param pass - whether what has this title may be saved; asks
 */
export function guardClosing(
  dialogs: Pick<IDocumentManagerDialogs, 'confirmClose' | 'saveBeforeClose'>,
  pass: (title: string) => Promise<boolean>
): void {
  const confirm = dialogs.confirmClose.bind(dialogs);
  const save = dialogs.saveBeforeClose.bind(dialogs);
  const asked = async <T extends { shouldClose: boolean; ignoreSave: boolean }>(
    answer: T,
    title: string
  ): Promise<T> => {
    const saves = answer.shouldClose && !answer.ignoreSave;
    return saves && !(await pass(title)) ? { ...answer, shouldClose: false } : answer;
  };
  dialogs.confirmClose = async options => asked(await confirm(options), options.fileName);
  dialogs.saveBeforeClose = async options => asked(await save(options), options.fileName);
}
