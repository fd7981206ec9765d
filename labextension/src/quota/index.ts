/** What is left and who can answer: status bar, side bar, backends. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

export const quota: JupyterFrontEndPlugin<unknown>[] = [];
