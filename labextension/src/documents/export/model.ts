/** An export in the making: target, options, preview, and where it goes. */

import { PathExt } from '@jupyterlab/coreutils';
import { Signal, type ISignal } from '@lumino/signaling';
import type { INotebook } from '../notebook';
import { asksBack, told } from '../problem';
import type { Ask, Form, IPreview, ITarget, ITargets, IWritten } from '../routes';

export interface IExportState {
  targets: ITargets;
  target: string;
  options: Record<string, boolean>;
  form: Form;
  /** Whether a ZIP or a branch holds all programs, not only that of the target. */
  all: boolean;
  /** The folder, the ZIP file, or the repository: its folder or its address. */
  to: string;
  branch: string;
  preview: IPreview | null;
  /** Which file of the preview is shown. */
  file: number;
  looking: boolean;
  writing: boolean;
  problem: string | null;
  /** What has to be agreed to before it is written: the question, or the changes of a commit. */
  question: string | null;
  diff: string | null;
}

export interface IExportOptions {
  path: string;
  /** The notebook as it stands in the editor. */
  content: () => INotebook;
  ask: Ask;
  target: string;
  branch?: string;
  /** How long no option changes before the preview is asked for, in milliseconds. */
  delay?: number;
}

/** What the user can choose; each change makes the answer to a question of before void. */
export type Choices = Pick<IExportState, 'target' | 'options' | 'form' | 'all' | 'to' | 'branch'>;

const NOTHING: ITargets = { targets: [], options: [] };

export class ExportModel {
  constructor(private readonly given: IExportOptions) {
    this.state = {
      targets: NOTHING,
      target: given.target,
      options: {},
      form: 'files',
      all: true,
      to: PathExt.dirname(given.path),
      branch: given.branch ?? 'gemini-export',
      preview: null,
      file: 0,
      looking: true,
      writing: false,
      problem: null,
      question: null,
      diff: null
    };
  }

  state: IExportState;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get path(): string {
    return this.given.path;
  }

  /** The row of the chosen target. */
  get target(): ITarget | undefined {
    return this.state.targets.targets.find(one => one.target === this.state.target);
  }

  /** The ways to keep it: what is no program fits into no bundle of programs. */
  get forms(): Form[] {
    return this.target?.suffix === '' ? ['files'] : ['files', 'zip', 'git'];
  }

  /** Ask which targets there are, and for the first preview. */
  async load(): Promise<void> {
    try {
      const targets = await this.given.ask<ITargets>('export');
      const known = targets.targets.some(one => one.target === this.state.target);
      const options = Object.fromEntries(targets.options.map(one => [one.name, one.default]));
      const target = known ? this.state.target : (targets.targets[0]?.target ?? '');
      this.update({ targets, options, target });
    } catch (error) {
      this.update({ problem: told(error), looking: false });
      return;
    }
    await this.look();
  }

  choose(choice: Partial<Choices>): void {
    if (this.state.writing) {
      return;
    }
    this.update({ ...choice, question: null, diff: null });
    if (choice.form !== undefined) {
      this.update({ to: this.place(choice.form) });
    }
    if (!this.forms.includes(this.state.form)) {
      this.update({ form: 'files', to: this.place('files') });
    }
    if ('target' in choice || 'options' in choice) {
      this.update({ looking: true });
      clearTimeout(this._timer);
      this._timer = setTimeout(() => void this.look(), this.given.delay ?? 300);
    }
  }

  show(file: number): void {
    this.update({ file });
  }

  /** Ask for the preview; the answer to an older question is not shown. */
  async look(): Promise<void> {
    const turn = ++this._turn;
    this.update({ looking: true });
    let found: Partial<IExportState>;
    try {
      const preview = await this.given.ask<IPreview>('export', this.what);
      found = { preview, file: 0, problem: null };
    } catch (error) {
      found = { preview: null, problem: told(error) };
    }
    if (turn === this._turn) {
      this.update({ ...found, looking: false });
    }
  }

  /**
   * Write it. Null if that was not done: `state` has the problem, or the question whose answer is
   * another call.
   */
  async write(): Promise<IWritten | null> {
    if (this.state.writing) {
      return null;
    }
    const { form, all, to, branch, question, diff } = this.state;
    const agreed = question !== null || diff !== null;
    this.update({ writing: true, problem: null, question: null });
    const place = form === 'git' ? { remote: to, branch, yes: agreed } : { to, overwrite: agreed };
    try {
      const body = { ...this.what, form, all, ...place };
      const made = await this.given.ask<IWritten>('export/write', body);
      if (made.diff !== undefined && made.written.length === 0 && !agreed) {
        this.update({ writing: false, diff: made.diff });
        return null;
      }
      this.update({ writing: false, diff: null });
      return made;
    } catch (error) {
      const state = asksBack(error) ? { question: told(error) } : { problem: told(error) };
      this.update({ writing: false, diff: null, ...state });
      return null;
    }
  }

  dispose(): void {
    clearTimeout(this._timer);
    this._turn++;
    Signal.clearData(this);
  }

  private get what(): { path: string; target: string; options: Record<string, boolean> } & {
    content: INotebook;
  } {
    const takes = this.target?.options ?? [];
    const options = Object.fromEntries(
      takes.map(name => [name, this.state.options[name] ?? false])
    );
    return { path: this.path, target: this.state.target, options, content: this.given.content() };
  }

  private place(form: Form): string {
    const folder = PathExt.dirname(this.path);
    const name = PathExt.basename(this.path, PathExt.extname(this.path));
    return form === 'zip' ? PathExt.join(folder, `${name}.zip`) : folder;
  }

  private update(state: Partial<IExportState>): void {
    this.state = { ...this.state, ...state };
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _turn = 0;
}
