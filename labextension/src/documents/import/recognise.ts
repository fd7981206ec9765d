/** Tells by its content whether a file may be a prompt that AI Studio saved. */

/** What a browser takes such a file for: it has no suffix in Drive, or one of these. */
const TYPES = ['', 'application/json', 'text/plain', 'application/zip'];
const PROMPT = /"(?:chunkedPrompt|runSettings|textPrompt|dataPrompt|multiturnPrompt)"\s*:\s*\{/;
/** What a ZIP file of Drive or of a Takeout says of its own folders. */
const FOLDER = /AI Studio\/|Takeout\/Drive/;
const LOOKED_AT = 65_536;

/** Whether a dropped file of this type is worth a look; its name may be of no help. */
export function mayBePrompt(file: { type: string; name?: string }): boolean {
  return TYPES.includes(file.type) && !/\.ipynb$/i.test(file.name ?? '');
}

/** Whether it looks like a saved prompt, or an archive of such; the server has the last word. */
export async function isPrompt(file: Blob & { name: string }): Promise<boolean> {
  if (!mayBePrompt(file) || file.size === 0) {
    return false;
  }
  const start = await text(file.slice(0, LOOKED_AT));
  const end = await text(file.slice(Math.max(LOOKED_AT, file.size - LOOKED_AT)));
  if (start.startsWith('PK')) {
    return FOLDER.test(start) || FOLDER.test(end);
  }
  // Run settings come first in some files, and after many turns in others.
  return /^\uFEFF?\s*\{/.test(start) && (PROMPT.test(start) || PROMPT.test(end));
}

/** A part of a file as text; what is none of UTF-8 is replaced. */
async function text(part: Blob): Promise<string> {
  return new TextDecoder().decode(await part.arrayBuffer());
}
