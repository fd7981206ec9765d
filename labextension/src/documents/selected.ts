/** Which file a command is about: the one that it is given, the selected one, the current one. */

import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { INotebook } from './notebook';

/** The path among a command's arguments. */
export function pathIn(args: ReadonlyPartialJSONObject): string | null {
  return typeof args['path'] === 'string' && args['path'] !== '' ? args['path'] : null;
}

/** The first item that is selected in the file browser that was used last. */
export function selectedItem(factory: IFileBrowserFactory | null): Contents.IModel | null {
  const items = factory?.tracker.currentWidget?.selectedItems();
  const first = items?.next();
  return first === undefined || first.done === true ? null : first.value;
}

/** A notebook as it stands in its editor, or in its file where it is not open. */
export async function notebookAt(path: string, documents: IDocumentManager): Promise<INotebook> {
  const open = documents.findWidget(path, 'Notebook');
  if (open) {
    await open.context.ready;
    return open.context.model.toJSON() as unknown as INotebook;
  }
  const file = await documents.services.contents.get(path, { type: 'notebook' });
  return file.content as INotebook;
}
