/** A picture of an output: what it is, where an <img> gets it from, the name of its file. */

/** As a notebook has it: base64, or text for SVG. */
export interface IImageBundle {
  mime: string;
  data: string;
}

/** Endings by type, best first. As an <img>, an SVG neither runs scripts nor loads anything. */
const ENDINGS: Record<string, string> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
  'image/svg+xml': 'svg'
};

/** The best picture in a MIME bundle; null if there is none. */
export function pictureOf(bundle: Readonly<Record<string, unknown>>): IImageBundle | null {
  for (const mime of Object.keys(ENDINGS)) {
    const value = bundle[mime];
    const data = Array.isArray(value) ? value.join('') : value;
    if (typeof data === 'string' && data !== '') {
      return { mime, data };
    }
  }
  return null;
}

/** Its address for an <img>. */
export function source({ mime, data }: IImageBundle): string {
  return mime === 'image/svg+xml'
    ? `data:${mime};charset=utf-8,${encodeURIComponent(data)}`
    : `data:${mime};base64,${data.replace(/\s+/g, '')}`;
}

/** The name of its file, of the notebook's and the places of cell and picture. */
export function fileName(
  path: string | null,
  picture: IImageBundle & { cell: number; ordinal: number }
): string {
  const notebook = (path ?? '').split('/').pop() ?? '';
  const stem = notebook.replace(/\.ipynb$/, '') || 'picture';
  return `${stem}-${picture.cell}-${picture.ordinal}.${ENDINGS[picture.mime] ?? 'bin'}`;
}
