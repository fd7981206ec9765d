/** What the server's routes for documents take and give. */

import type { ask as askServer } from '../request';

/** How a route is asked; tests give one of their own. */
export type Ask = typeof askServer;

/** One line of a report; `cell` is empty where it concerns none. */
export interface INote {
  kind: string;
  text: string;
  cell: string;
}

export interface ITarget {
  target: string;
  title: string;
  suffix: string;
  options: string[];
}

export interface ISwitch {
  name: string;
  help: string;
  default: boolean;
}

export interface ITargets {
  targets: ITarget[];
  options: ISwitch[];
}

/** A file that an export would write; without a text it is no text. */
export interface IExportedFile {
  name: string;
  text: string | null;
}

export interface IPreview {
  files: IExportedFile[];
  notes: INote[];
}

export type Form = 'files' | 'zip' | 'git';

/** What was written; a `diff` alone is what a commit would change. */
export interface IWritten {
  written: string[];
  notes: INote[];
  diff?: string;
}

export interface IImported extends IWritten {
  notebooks?: string[];
}

export type Verdict = 'done' | 'assisted' | 'left';

/** A place of the old SDK; `line` counts from 1 in the file, or in the cell with that `index`. */
export interface IPlace {
  line: number;
  verdict: Verdict;
  why: string;
  cell?: string | null;
  index?: number | null;
}

export type Sdk = 'google-genai' | 'openai';

export interface IMigration {
  path: string;
  before: string;
  after: string;
  diff: string;
  places: IPlace[];
  written: boolean;
}

/** A place of a key; the same key has the same `id` in all its places. */
export interface IFinding {
  id: string;
  cell: number | null;
  cell_id: string | null;
  where: 'source' | 'output' | 'metadata';
  kind: string;
  shown: string;
  line: number | null;
}
