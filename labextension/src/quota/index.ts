/** What is left and who can answer: status bar, side bar, backends. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { livePlugin, meterPlugin } from './meterPlugin';
import { sidebarPlugin } from './sidebarPlugin';

export const quota: JupyterFrontEndPlugin<unknown>[] = [livePlugin, meterPlugin, sidebarPlugin];
