/** The extension's own picture in JupyterLab: a dial. */

import { LabIcon } from '@jupyterlab/ui-components';

export const dialIcon = new LabIcon({
  name: 'gemini-magic:dial',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M12 4A10 10 0 0 0 3.9 19.9l1.7-1.2A8 8 0 1 1 18.4 18.7l1.7 1.2A10 10 0 0 0 12 4z"/>
    <path d="M17 8.5 10.8 12.6a2 2 0 1 0 2.4 2.4z"/>
  </g>
</svg>`
});
