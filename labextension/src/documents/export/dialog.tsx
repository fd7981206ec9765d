/** The export dialog: choices on the left, the program on the right. */

import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { IWritten } from '../routes';
import { Choosing } from './choosing';
import type { ExportModel } from './model';
import { Shown } from './shown';

export interface IProps {
  model: ExportModel;
  trans: TranslationBundle;
  languages: IEditorLanguageRegistry | null;
}

/** Show the dialog; what was written, or null if the user left it. */
export async function showExport(props: IProps): Promise<IWritten | null> {
  const dialog = new ExportDialog(props);
  void props.model.load();
  await dialog.launch();
  props.model.dispose();
  return dialog.written;
}

class ExportDialog extends Dialog<void> {
  constructor(private readonly props: IProps) {
    const name = PathExt.basename(props.model.path);
    const title = props.trans.__('Export “%1” as a program', name);
    super({
      title,
      body: new Body(props),
      buttons: [
        Dialog.cancelButton({ label: props.trans.__('Cancel') }),
        Dialog.okButton({ label: props.trans.__('Export') })
      ],
      focusNodeSelector: 'select'
    });
    this.addClass('jp-gemini-Dialog');
    this.node.ariaLabel = title;
    props.model.changed.connect(this.relabel);
    this.relabel();
  }

  written: IWritten | null = null;

  /** The dialog stays until it is written, so that a question or a problem can be shown in it. */
  override resolve(index = 1): void {
    if (index === 0) {
      super.resolve(0);
      return;
    }
    void this.props.model.write().then(written => {
      if (written !== null && !this.isDisposed) {
        this.written = written;
        super.resolve(index);
      }
    });
  }

  /**
   * Enter exports from a text field only: elsewhere it opens a list or folds a section. Tab leads
   * from the last button to the body, which Lab looked at before it was drawn.
   */
  protected override _evtKeydown(event: KeyboardEvent): void {
    const at = document.activeElement;
    if (event.key === 'Tab' && !event.shiftKey && at?.matches('.jp-Dialog-footer .jp-mod-accept')) {
      event.preventDefault();
      event.stopPropagation();
      this.node.querySelector('select')?.focus();
      return;
    }
    const typing = at instanceof HTMLInputElement && at.type === 'text';
    if (event.key !== 'Enter' || typing || at?.closest('.jp-Dialog-footer')) {
      super._evtKeydown(event);
    }
  }

  private readonly relabel = (): void => {
    const { trans, model } = this.props;
    const { question, diff, writing } = model.state;
    const button = this.node.querySelector<HTMLButtonElement>('.jp-Dialog-footer .jp-mod-accept');
    const label = button?.querySelector('.jp-Dialog-buttonLabel');
    if (!button || !label) {
      return;
    }
    button.disabled = writing || model.target === undefined;
    let text = question === null ? trans.__('Export') : trans.__('Replace');
    if (writing) {
      text = trans.__('Exporting …');
    } else if (diff !== null) {
      text = trans.__('Commit');
    }
    label.textContent = text;
    button.ariaLabel = text;
  };
}

class Body extends ReactWidget {
  constructor(private readonly props: IProps) {
    super();
    this.addClass('jp-gemini-Export');
  }

  protected render(): React.JSX.Element {
    return (
      <UseSignal signal={this.props.model.changed}>
        {() => (
          <>
            <Choosing {...this.props} />
            <Shown {...this.props} />
          </>
        )}
      </UseSignal>
    );
  }
}
