/** A notebook's file as JSON: as much of it as is looked at here. */

export interface IOutput {
  output_type: string;
  text?: string | string[];
  data?: Record<string, unknown>;
  [name: string]: unknown;
}

export interface ICell {
  id?: string;
  cell_type: string;
  source: string | string[];
  metadata?: Record<string, unknown>;
  outputs?: IOutput[];
  [name: string]: unknown;
}

export interface INotebook {
  cells: ICell[];
  metadata: Record<string, unknown>;
  [name: string]: unknown;
}

/** A text that may be kept as a list of its lines. */
export function joined(text: string | string[]): string {
  return Array.isArray(text) ? text.join('') : text;
}
