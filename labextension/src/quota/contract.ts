/** What the server's routes say about quota, backends and requests; times are Unix seconds. */

export type State = 'ok' | 'warn' | 'empty' | 'unknown';

export interface IWindow {
  window: 'RPM' | 'TPM' | 'RPD' | 'TPD' | 'IPM';
  used: number;
  limit: number | null;
  provenance: 'seed' | 'user' | 'learned' | null;
  note: string;
  resets_at: number | null;
  state: State;
}

export interface IMeter {
  backend: string;
  kind: string | null;
  model: string;
  project: string | null;
  tier: string | null;
  state: State;
  windows: IWindow[];
}

/** Amounts in US dollars. */
export interface IBudget {
  backend: string;
  period: 'day' | 'month';
  used: number;
  limit: number;
  resets_at: number;
  state: State;
}

export interface IQuota {
  /** The window that runs out first, with whose it is. */
  tightest: (IWindow & { backend: string; model: string; project: string | null }) | null;
  /** The same in short, such as `RPD 7/20 · 2.5-flash`. */
  text: string | null;
  meters: IMeter[];
  budget: IBudget[];
  at: number;
  /** Why nothing can be read; null where all is well. */
  problem: string | null;
}

export interface IPoint {
  at: number;
  requests: number;
  tokens: number;
  /** In US dollars. */
  price: number | null;
}

/** Oldest first; an hour or a day without requests is a point of zeros. */
export interface IHistory {
  hours: IPoint[];
  days: IPoint[];
}

export interface IRequest {
  at: number;
  seconds: number;
  backend: string;
  model: string;
  input_tokens: number | null;
  output_tokens: number | null;
  price: number | null;
  /** A finish reason, or `error`. */
  status: string;
  cached: boolean;
  /** Its path below the server's root. */
  notebook: string | null;
  cell_id: string | null;
  prompt: string;
}

export type LiveMessage =
  | { type: 'quota'; data: IQuota }
  | { type: 'requests'; data: IRequest[] }
  /** A number that changes with what kernels report of the backends' keys. */
  | { type: 'kernels'; data: number }
  | ({ type: 'secrets'; again?: boolean } & ISaved);

/** A notebook was saved with other keys in it than before; its path is the contents manager's. */
export interface ISaved {
  path: string;
  findings: { id: string; [name: string]: unknown }[];
}

/** What a kernel says of a backend's key: in which of these places it is, null if in none. */
export interface IKernelKey {
  /** Its path below the server's root; null if it is not known, or elsewhere. */
  notebook: string | null;
  where: 'environment' | '.env' | 'keyring' | 'file' | null;
}

export interface IBackend {
  name: string;
  kind: string;
  base_url: string | null;
  models: string[];
  model: string | null;
  /** As the kernels report it; by the server's own environment where none did. */
  key: { needed: boolean; found: boolean; where: string | null; kernels: IKernelKey[] };
  project: string | null;
  tier: string | null;
  state: 'ready' | 'no key' | 'exhausted' | 'unknown';
  exhausted_until: number | null;
  in_route: boolean;
  /** Whether the user's own file defines it, so that it can be removed. */
  own: boolean;
}

export interface IPreset {
  preset: string;
  kind: string;
  base_url: string | null;
  key_env: string | null;
  needs_project: boolean;
  title: string;
}

/** What is posted to add a backend; the key goes to the keyring and is in no answer. */
export interface INewBackend {
  name: string;
  preset?: string;
  kind?: string;
  base_url?: string;
  model?: string;
  project?: string;
  tier?: string;
  key?: string;
  /** Whether a file that only the user can read may keep the key where there is no keyring. */
  key_file?: boolean;
}

export interface ITest {
  ok: boolean;
  seconds: number;
  message: string;
  next: string | null;
  models: string[];
}

export interface ICache {
  replies: number;
  bytes: number;
}
