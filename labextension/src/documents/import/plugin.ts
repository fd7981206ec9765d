/** AI Studio's prompts in: from the file browser's menu, the palette, and by dropping them. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ask } from '../../request';
import { told } from '../problem';
import type { IImported } from '../routes';
import { pathIn, selectedItem } from '../selected';
import { documentSettings } from '../settings';
import { DropWatch } from './drop';
import { importPath, notebooksOf, upload } from './importing';

const IMPORT = 'gemini-magic:import';
const IMPORT_SELECTED = 'gemini-magic:import-selected';

export const importing: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:import',
  description: 'Prompts of AI Studio in, as notebooks.',
  autoStart: true,
  requires: [IDocumentManager],
  optional: [ITranslator, ISettingRegistry, ICommandPalette, IFileBrowserFactory],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    browsers: IFileBrowserFactory | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('gemini_magic');
    const settings = documentSettings(registry);
    const { commands } = app;

    const replace = async (message: string): Promise<boolean> => {
      const result = await showDialog({
        title: trans.__('Replace?'),
        body: message,
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.warnButton({ label: trans.__('Replace') })
        ]
      });
      return result.button.accept;
    };

    const run = async (path: string): Promise<void> => {
      let made: IImported | null;
      try {
        made = await importPath(path, { ask, replace });
      } catch (error) {
        const title = trans.__('“%1” was not imported', PathExt.basename(path));
        await showErrorMessage(title, told(error));
        return;
      }
      if (made === null) {
        return;
      }
      const names = notebooksOf(made);
      const first = names.at(0);
      if (first !== undefined) {
        await commands.execute('docmanager:open', { path: first });
      }
      const what = trans._n('%1 notebook was imported', '%1 notebooks were imported', names.length);
      const notes = made.notes.length;
      const more = trans._n(
        '%1 thing to know of is told at its top',
        '%1 things to know of are told at its top',
        notes
      );
      Notification.success(notes > 0 ? `${what}; ${more}.` : `${what}.`, { autoClose: 8000 });
    };

    commands.addCommand(IMPORT, {
      label: trans.__('Open AI Studio Prompt…'),
      caption: trans.__('Make a notebook of a prompt, code or app of Google AI Studio'),
      execute: async args => {
        const path = pathIn(args) ?? (await picked());
        if (path !== null) {
          await run(path);
        }
      }
    });
    commands.addCommand(IMPORT_SELECTED, {
      label: () =>
        selectedItem(browsers)?.type === 'directory'
          ? trans.__('Open AI Studio Prompts')
          : trans.__('Open AI Studio Prompt'),
      execute: async () => {
        const item = selectedItem(browsers);
        if (item !== null) {
          await run(item.path);
        }
      }
    });
    palette?.addItem({ command: IMPORT, category: trans.__('Gemini') });

    const picked = async (): Promise<string | null> => {
      const result = await FileDialog.getOpenFiles({
        manager: documents,
        title: trans.__('A prompt of AI Studio'),
        ...(translator === null ? {} : { translator })
      });
      return result.value?.[0]?.path ?? null;
    };

    new DropWatch(document, {
      enabled: () => settings().offerImport,
      fileChanged: documents.services.contents.fileChanged,
      uploaded: path => {
        const name = PathExt.basename(path);
        Notification.info(trans.__('“%1” looks like a prompt of AI Studio.', name), {
          autoClose: false,
          actions: [
            {
              label: trans.__('Open as notebook'),
              caption: trans.__('Make a notebook of it, beside it'),
              displayType: 'accent',
              callback: () => void run(path)
            }
          ]
        });
      },
      dropped: async file => {
        const result = await showDialog({
          title: trans.__('Open “%1” as a notebook?', file.name),
          body: trans.__('It looks like a prompt of AI Studio.'),
          buttons: [
            Dialog.cancelButton({ label: trans.__('Drop it as a file') }),
            Dialog.okButton({ label: trans.__('Open as notebook') })
          ]
        });
        if (!result.button.accept) {
          return false;
        }
        const open = app.shell.currentWidget;
        const context = open === null ? undefined : documents.contextForWidget(open);
        try {
          const folder = PathExt.dirname(context?.path ?? '');
          await run(await upload(file, folder, documents.services.contents));
        } catch (error) {
          await showErrorMessage(trans.__('“%1” was not uploaded', file.name), told(error));
        }
        return true;
      }
    });
  }
};
