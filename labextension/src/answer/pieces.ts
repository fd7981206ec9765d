/** The pieces of a long answer, as its kernel names them (src/gemini_magic/notebook/answer_blocks.py). */

/** Beside `text/markdown`: `{"blocks": [length, ...]}`, in UTF-16 code units. */
export const MIME = 'application/vnd.gemini-magic.answer+json';

/** No kernel makes pieces (but the last) that are so short; a notebook of anybody else's may. */
const LEAST = 200;

/** The text in the pieces that the bundle names, or in one where they do not fit it. */
export function pieces(text: string, bundle: unknown): string[] {
  const blocks = (bundle as { blocks?: unknown } | null | undefined)?.blocks;
  if (!Array.isArray(blocks)) {
    return [text];
  }
  const found: string[] = [];
  let start = 0;
  for (const [index, length] of (blocks as unknown[]).entries()) {
    const least = index < blocks.length - 1 ? LEAST : 1;
    if (typeof length !== 'number' || !Number.isInteger(length) || length < least) {
      return [text];
    }
    if (start + length > text.length) {
      return [text];
    }
    found.push(text.slice(start, start + length));
    start += length;
  }
  return start === text.length && start > 0 ? found : [text];
}
