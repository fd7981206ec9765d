/** The export command: in the File menu, the palette, the notebook's toolbar, the file browser. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { codeIcon } from '@jupyterlab/ui-components';
import { ask } from '../../request';
import type { INotebook } from '../notebook';
import { told } from '../problem';
import type { Form, IWritten } from '../routes';
import { notebookAt, pathIn, selectedItem } from '../selected';
import { documentSettings } from '../settings';
import { showExport } from './dialog';
import { ExportModel } from './model';

const EXPORT = 'gemini-magic:export';
const EXPORT_SELECTED = 'gemini-magic:export-selected';

export const exporting: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:export',
  description: 'Notebooks out, as programs.',
  autoStart: true,
  requires: [IDocumentManager, INotebookTracker],
  optional: [
    ITranslator,
    ISettingRegistry,
    ICommandPalette,
    IFileBrowserFactory,
    IEditorLanguageRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    browsers: IFileBrowserFactory | null,
    languages: IEditorLanguageRegistry | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('gemini_magic');
    const settings = documentSettings(registry);
    const { commands } = app;

    const read = async (path: string): Promise<INotebook | null> => {
      try {
        return await notebookAt(path, documents);
      } catch (error) {
        await showErrorMessage(trans.__('This notebook cannot be read'), told(error));
        return null;
      }
    };

    const run = async (path: string): Promise<void> => {
      const content = await read(path);
      if (content === null) {
        return;
      }
      const { exportTarget, exportBranch } = settings();
      const model = new ExportModel({
        path,
        ask,
        target: exportTarget,
        branch: exportBranch,
        content: () => content
      });
      const written = await showExport({ model, trans, languages });
      if (written !== null) {
        await tell(written, model.state.form);
      }
    };

    /** Say what was written, and open it. */
    const tell = async (made: IWritten, form: Form): Promise<void> => {
      const first = made.written.at(0);
      const names = made.written.map(path => PathExt.basename(path)).join(', ');
      Notification.success(trans.__('Exported: %1', names), { autoClose: 5000 });
      if (form === 'git' || first === undefined) {
        return;
      }
      const [command, args] =
        form === 'files'
          ? ['docmanager:open', { path: first }]
          : ['filebrowser:go-to-path', { path: first }];
      if (commands.hasCommand(command)) {
        await commands.execute(command, args);
      }
    };

    commands.addCommand(EXPORT, {
      label: trans.__('Export as a Program…'),
      caption: trans.__('Export this notebook as a program without gemini_magic'),
      icon: args => (args['toolbar'] === true ? codeIcon : undefined),
      isEnabled: args => pathIn(args) !== null || notebooks.currentWidget !== null,
      execute: async args => {
        const path = pathIn(args) ?? notebooks.currentWidget?.context.path;
        if (path !== undefined) {
          await run(path);
        }
      }
    });
    commands.addCommand(EXPORT_SELECTED, {
      label: trans.__('Export as a Program…'),
      isVisible: () => selectedItem(browsers)?.type === 'notebook',
      execute: async () => {
        const item = selectedItem(browsers);
        if (item !== null) {
          await run(item.path);
        }
      }
    });
    palette?.addItem({ command: EXPORT, category: trans.__('Gemini') });
  }
};
