/** Whether a notebook may hold a key: cheap, so that saving one without keys costs nothing. */

import { joined, type INotebook, type IOutput } from '../notebook';

/** How keys of known services begin, and enough of what follows; the server knows them better. */
const BEGINS =
  /(?:AIza|AQ\.|ya29\.|GOCSPX-|sk[-_]|gsk_|hf_|xai-|nvapi-|r8_|pplx-|gh[pousr]_|github_pat_|glpat-|AKIA|xox[abprs]-)[\w-]{10}|PRIVATE KEY/;

/** Outputs that are no text: their base64 is long, and holds no key. */
const MEDIA = /^(?:image\/(?!svg)|audio\/|video\/|application\/pdf|font\/)/;

/** Whether a key of a known service may be in it. */
export function mayHoldKey(notebook: INotebook): boolean {
  return (
    notebook.cells.some(
      cell =>
        BEGINS.test(joined(cell.source)) ||
        has(cell.metadata) ||
        has(cell['attachments']) ||
        (cell.outputs ?? []).some(output => has(slimOutput(output)))
    ) || has(notebook.metadata)
  );
}

/** The notebook without its pictures and sounds. */
export function slim(notebook: INotebook): INotebook {
  const cells = notebook.cells.map(cell =>
    cell.outputs === undefined ? cell : { ...cell, outputs: cell.outputs.map(slimOutput) }
  );
  return { ...notebook, cells };
}

function slimOutput(output: IOutput): IOutput {
  if (output.data === undefined) {
    return output;
  }
  const data = Object.fromEntries(
    Object.entries(output.data).map(([type, value]) => [type, MEDIA.test(type) ? '' : value])
  );
  return { ...output, data };
}

/** Whether a text anywhere in a value may hold a key; a list may be the lines of one text. */
function has(value: unknown): boolean {
  if (typeof value === 'string') {
    return BEGINS.test(value);
  }
  if (Array.isArray(value)) {
    return value.every(one => typeof one === 'string')
      ? BEGINS.test(joined(value))
      : value.some(has);
  }
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).some(([name, one]) => BEGINS.test(name) || has(one))
  );
}
