/** How the page shows a long answer while it comes, and when its notebook is opened again. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MIME } from './pieces';
import { RenderedAnswer } from './renderer';

/** Before Markdown, which has 60. */
const RANK = 55;

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:answer',
  description: 'Renders long answers piece by piece.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (_app, rendermime: IRenderMimeRegistry) => {
    rendermime.addFactory({
      safe: true,
      mimeTypes: [MIME],
      defaultRank: RANK,
      createRenderer: options => new RenderedAnswer(options)
    });
  }
};

export const answer = [plugin];
