/** What an import does, apart from what is seen of it. */

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import { asksBack, told } from '../problem';
import type { Ask, IImported } from '../routes';

interface IImportOptions {
  ask: Ask;
  /** Whether what is in the way may be replaced. */
  replace: (message: string) => Promise<boolean>;
}

/**
 * Make notebooks of what lies at a path, beside it. Null if the user does not want what is there
 * already replaced.
 */
export async function importPath(
  path: string,
  { ask, replace }: IImportOptions
): Promise<IImported | null> {
  const body = { path, to: PathExt.dirname(path) };
  try {
    return await ask<IImported>('import', body);
  } catch (error) {
    if (!asksBack(error)) {
      throw error;
    }
    return (await replace(told(error)))
      ? await ask<IImported>('import', { ...body, overwrite: true })
      : null;
  }
}

/** The notebooks among what was written. */
export function notebooksOf(made: IImported): string[] {
  return made.notebooks ?? made.written.filter(path => PathExt.extname(path) === '.ipynb');
}

/** Upload a file under its name, or with a number where that is taken; its path. */
export async function upload(
  file: File,
  folder: string,
  contents: Contents.IManager
): Promise<string> {
  const there = await contents.get(folder, { type: 'directory', content: true });
  const taken = new Set((there.content as Contents.IModel[]).map(one => one.name));
  const extension = PathExt.extname(file.name);
  const stem = PathExt.basename(file.name, extension);
  let name = file.name;
  for (let number = 2; taken.has(name); number++) {
    name = `${stem} ${number}${extension}`;
  }
  const path = PathExt.join(folder, name);
  const content = base64(new Uint8Array(await file.arrayBuffer()));
  await contents.save(path, { type: 'file', format: 'base64', content });
  return path;
}

/** In pieces: a function takes only so many arguments. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 32_768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return btoa(text);
}
