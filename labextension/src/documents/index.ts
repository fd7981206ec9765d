/** The ways in and out: export, import, migration, and the guard on save. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

export const documents: JupyterFrontEndPlugin<unknown>[] = [];
