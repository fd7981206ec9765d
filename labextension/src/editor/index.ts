/** What a %%gemini cell is in the editor: colours, help and the tools of a cell. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

export const editor: JupyterFrontEndPlugin<unknown>[] = [];
