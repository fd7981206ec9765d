/** The mark of gemini_magic's commands: a spark with four points. */

import { LabIcon } from '@jupyterlab/ui-components';

export const geminiIcon = new LabIcon({
  name: 'gemini-magic:spark',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161"
    d="M12 1.5c.7 6.4 4.1 9.8 10.5 10.5C16.1 12.7 12.7 16.1 12 22.5 11.3 16.1 7.9 12.7 1.5 12 7.9 11.3 11.3 7.9 12 1.5z"/>
</svg>`
});
