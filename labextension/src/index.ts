/** JupyterLab's face of gemini_magic: the plugins, by the room that each lives in. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { answer } from './answer';
import { documents } from './documents';
import { editor } from './editor';
import { quota } from './quota';

const plugins: JupyterFrontEndPlugin<unknown>[] = [...answer, ...editor, ...quota, ...documents];

export default plugins;
