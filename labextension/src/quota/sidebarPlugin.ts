/** The side bar on the right, and its commands. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { BackendsModel } from './backends';
import { CacheModel } from './cache';
import { clearCache } from './cacheLine';
import { ADD, CLEAR, GALLERY, OPEN } from './commands';
import { GalleryModel } from './gallery';
import { HistoryModel } from './history';
import { dialIcon } from './icons';
import { Jumper } from './jump';
import { ILive } from './live';
import { Sidebar } from './sidebar';

export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:sidebar',
  description: 'Backends, quota, recent requests, pictures and cache in a side bar.',
  autoStart: true,
  requires: [ILive],
  optional: [
    INotebookTracker,
    IDocumentManager,
    ICommandPalette,
    ILayoutRestorer,
    IStateDB,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    live: ILive,
    tracker: INotebookTracker | null,
    documents: IDocumentManager | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    memory: IStateDB | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('gemini_magic');
    const activate = (id: string): void => {
      app.shell.activateById(id);
    };
    const cache = new CacheModel();
    const sidebar = new Sidebar(
      {
        live,
        backends: new BackendsModel(),
        history: new HistoryModel(),
        gallery: new GalleryModel(tracker),
        cache,
        jumper: new Jumper(documents, tracker, activate)
      },
      trans,
      memory
    );
    app.shell.add(sidebar, 'right', { rank: 600, type: 'Gemini' });
    restorer?.add(sidebar, sidebar.id);

    const command = (id: string, label: string, execute: () => unknown): void => {
      app.commands.addCommand(id, { label, execute, icon: dialIcon });
      palette?.addItem({ command: id, category: trans.__('Gemini') });
    };
    command(OPEN, trans.__('Show the Gemini Side Bar'), () => {
      activate(sidebar.id);
    });
    command(ADD, trans.__('Add a Gemini Backend…'), () => {
      activate(sidebar.id);
      sidebar.reveal('backends', true);
    });
    command(GALLERY, trans.__('Show the Pictures of This Notebook'), () => {
      activate(sidebar.id);
      sidebar.reveal('gallery');
    });
    command(CLEAR, trans.__('Clear the Cache of Gemini Answers…'), () => clearCache(cache, trans));
  }
};
