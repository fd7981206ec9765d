/** What a %%gemini cell is in the editor: colours, help and the tools of a cell. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import {
  EditorExtensionRegistry,
  IEditorExtensionRegistry,
  IEditorLanguageRegistry
} from '@jupyterlab/codemirror';
import { ICompletionProviderManager } from '@jupyterlab/completer';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ActiveCell } from './activeCell';
import { ProseProvider } from './completion';
import { Magics } from './head';
import { Highlighter } from './highlight';
import { hover } from './hover';
import { OptionTable } from './options';
import { PanelCells } from './panel';
import { addTools, CommandIDs } from './tools';

const ID = 'gemini-magic:editor';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Colours, help and tools of %%gemini cells.',
  autoStart: true,
  requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
  optional: [
    INotebookTracker,
    ICommandPalette,
    ISettingRegistry,
    ITranslator,
    ICompletionProviderManager
  ],
  activate: (
    app,
    extensions: IEditorExtensionRegistry,
    languages: IEditorLanguageRegistry,
    tracker: INotebookTracker | null,
    palette: ICommandPalette | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null,
    completion: ICompletionProviderManager | null
  ) => {
    const trans = (translator ?? nullTranslator).load('gemini_magic');
    const table = new OptionTable();
    const highlighter = new Highlighter(languages, table, new Magics());
    const magics = (): Magics => highlighter.magics;
    const help = hover(magics, table, trans);
    extensions.addExtension({
      name: ID,
      factory: ({ inline, model }) =>
        inline
          ? EditorExtensionRegistry.createImmutableExtension([
              highlighter.extension(model.sharedModel.getSource()),
              help
            ])
          : null
    });
    completion?.registerProvider(new ProseProvider(magics, table.find));
    const cell = tracker === null ? null : new ActiveCell(tracker, magics);
    if (tracker !== null) {
      new PanelCells(tracker, magics).listen(document);
    }
    if (cell !== null) {
      const { commands } = app;
      addTools({ commands, cell, table, languages, trans });
      const category = trans.__('Gemini');
      for (const command of [CommandIDs.runOn, CommandIDs.compare, CommandIDs.code]) {
        palette?.addItem({ command, category });
      }
    }
    void settings?.load(ID).then(loaded => {
      const take = (): void => {
        const names = loaded.get('magics').composite as string[];
        if (names.join() !== highlighter.magics.names.join()) {
          highlighter.magics = new Magics(names);
          cell?.refresh();
        }
      };
      loaded.changed.connect(take);
      take();
    });
  }
};

export const editor: JupyterFrontEndPlugin<unknown>[] = [plugin];
