/** Programs of the old SDK, migrated: the commands, and the tab that shows what would change. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  MainAreaWidget,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ask } from '../../request';
import { told } from '../problem';
import type { Sdk } from '../routes';
import { pathIn, selectedItem } from '../selected';
import { documentSettings } from '../settings';
import { MigrationModel } from './model';
import { MigrationView } from './view';

const COMMANDS: [string, Sdk][] = [
  ['gemini-magic:migrate-google', 'google-genai'],
  ['gemini-magic:migrate-openai', 'openai']
];

/** What can be migrated, by its suffix. */
const MIGRATES = /\.(?:py|ipynb|[cm]?[jt]sx?)$/i;

export const migrating: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:migrate',
  description: 'Programs of google-generativeai to google-genai or openai.',
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

    /** The document that is open at a path, in whichever editor. */
    const openAt = (path: string): DocumentRegistry.Context | undefined => {
      const widget = documents.findWidget(path, null);
      return widget && documents.contextForWidget(widget);
    };

    /** Whether a file is what its editor shows: else it is saved, if the user wants that. */
    const settled = async (path: string): Promise<boolean> => {
      const open = openAt(path);
      if (open?.model.dirty !== true) {
        return true;
      }
      const result = await showDialog({
        title: trans.__('“%1” has unsaved changes', PathExt.basename(path)),
        body: trans.__('A migration reads and changes the file. Save it first?'),
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.okButton({ label: trans.__('Save') })
        ]
      });
      if (!result.button.accept) {
        return false;
      }
      try {
        await open.save();
      } catch {
        return false; // Lab has shown why
      }
      return true;
    };

    const run = async (path: string, to: Sdk): Promise<void> => {
      if (!(await settled(path))) {
        return;
      }
      const { migrateBaseUrl: baseUrl, migrateBeside: beside } = settings();
      const model = new MigrationModel({ path, to, baseUrl, ask });
      const content = new MigrationView({
        model,
        trans,
        beside,
        apply: () => void apply(model),
        cancel: () => {
          tab.dispose();
        }
      });
      const tab = new MainAreaWidget({ content });
      tab.id = `jp-gemini-migration-${to}-${path}`;
      for (const other of app.shell.widgets('main')) {
        if (other.id === tab.id) {
          other.dispose(); // it shows what the file was then
          break;
        }
      }
      tab.title.label = trans.__('%1 → %2', PathExt.basename(path), to);
      tab.title.caption = trans.__('Migrate %1 to %2', path, to);
      tab.title.closable = true;
      tab.disposed.connect(() => {
        model.dispose();
      });
      app.shell.add(tab, 'main');
      if (!tab.isAttached) {
        // Notebook 7 has room for one document.
        tab.dispose();
        const words = `jupyter gemini migrate '${path}' --to ${to}`;
        await showErrorMessage(trans.__('There is no room for it here'), words);
        return;
      }
      app.shell.activateById(tab.id);
      await model.look();
    };

    const apply = async (model: MigrationModel): Promise<void> => {
      const { path } = model;
      if (openAt(path)?.model.dirty === true) {
        if (await settled(path)) {
          await model.again(trans.__('The file was changed meanwhile. These are its changes now.'));
        }
        return;
      }
      if (!(await model.apply())) {
        return;
      }
      const name = PathExt.basename(path);
      const open = openAt(path);
      try {
        // Typed while it was written: the editor's text stays, and Lab asks when it is saved.
        if (open !== undefined && !open.model.dirty) {
          await open.revert();
        }
      } catch (error) {
        console.warn(`gemini_magic: ${name} was migrated, and could not be reloaded.`, told(error));
      }
      Notification.success(trans.__('“%1” was migrated to %2.', name, model.to), {
        autoClose: 5000
      });
    };

    const current = (): string | null => {
      const widget = app.shell.currentWidget;
      const path = widget === null ? undefined : documents.contextForWidget(widget)?.path;
      return path !== undefined && MIGRATES.test(path) ? path : null;
    };

    for (const [command, to] of COMMANDS) {
      const label = trans.__('Migrate to %1', to);
      app.commands.addCommand(command, {
        label,
        caption: trans.__('Show what a migration from google-generativeai to %1 would change', to),
        isEnabled: args => (pathIn(args) ?? current()) !== null,
        execute: async args => {
          const path = pathIn(args) ?? current();
          if (path !== null) {
            await run(path, to);
          }
        }
      });
      app.commands.addCommand(`${command}-selected`, {
        label,
        isVisible: () => MIGRATES.test(selectedItem(browsers)?.path ?? ''),
        execute: async () => {
          const item = selectedItem(browsers);
          if (item !== null) {
            await run(item.path, to);
          }
        }
      });
      palette?.addItem({ command, category: trans.__('Gemini') });
    }
  }
};
