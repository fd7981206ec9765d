/** The ways in and out: export, import, migration, and the guard on save. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { exporting } from './export/plugin';
import { guarding } from './guard/plugin';
import { importing } from './import/plugin';
import { migrating } from './migrate/plugin';

export const documents: JupyterFrontEndPlugin<unknown>[] = [
  exporting,
  importing,
  migrating,
  guarding
];
