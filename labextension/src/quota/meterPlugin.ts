/** The live model, and its small meter in the status bar or in Notebook 7's toolbar. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { OPEN } from './commands';
import { ILive, LiveModel } from './live';
import { StatusItem } from './statusItem';

export const livePlugin: JupyterFrontEndPlugin<ILive> = {
  id: 'gemini-magic:live',
  description: 'Quota and requests of all kernels, live over one websocket.',
  autoStart: true,
  provides: ILive,
  activate: app => new LiveModel(app.serviceManager.serverSettings)
};

export const meterPlugin: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:quota',
  description: 'The tightest quota window as a small meter.',
  autoStart: true,
  requires: [ILive],
  optional: [IStatusBar, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    live: ILive,
    statusBar: IStatusBar | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('gemini_magic');
    const shown = new Shown();
    void shown.follow(settings);
    const item = (): StatusItem =>
      new StatusItem(live, trans, () => void app.commands.execute(OPEN));
    if (statusBar !== null) {
      statusBar.registerStatusItem(meterPlugin.id, {
        item: item(),
        align: 'right',
        rank: 50,
        priority: 1,
        isActive: () => shown.value,
        activeStateChanged: shown.changed
      });
    } else {
      app.docRegistry.addWidgetExtension('Notebook', new ToolbarMeter(item, shown));
    }
  }
};

/** Whether the user wants the meter. */
class Shown {
  readonly changed = new Signal<this, void>(this);
  value = true;

  async follow(registry: ISettingRegistry | null): Promise<void> {
    try {
      const settings = await registry?.load(meterPlugin.id);
      const read = (): void => {
        this.value = settings?.composite['showMeter'] !== false;
        this.changed.emit();
      };
      settings?.changed.connect(read);
      read();
    } catch (error) {
      console.error(error); // Without settings the meter is shown.
    }
  }
}

/** Notebook 7 has no status bar: each notebook's toolbar carries the meter. */
class ToolbarMeter implements DocumentRegistry.IWidgetExtension<NotebookPanel, INotebookModel> {
  constructor(
    private readonly item: () => StatusItem,
    private readonly shown: Shown
  ) {}

  createNew(panel: NotebookPanel): IDisposable {
    const item = this.item();
    const look = (): void => {
      item.setHidden(!this.shown.value);
    };
    this.shown.changed.connect(look);
    item.disposed.connect(() => {
      this.shown.changed.disconnect(look);
    });
    look();
    panel.toolbar.addItem('gemini-meter', item);
    return item;
  }
}
