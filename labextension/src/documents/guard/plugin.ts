/** The guard on save: asks before a user saves a key, and tells of one that autosave has saved. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager, IDocumentManagerDialogs } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookTracker, type INotebookModel, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { DisposableSet } from '@lumino/disposable';
import { ILive } from '../../quota/live';
import { ask } from '../../request';
import type { INotebook } from '../notebook';
import { told } from '../problem';
import type { IFinding } from '../routes';
import { documentSettings } from '../settings';
import { apply } from './apply';
import { KeyBadge } from './badge';
import { guardClosing } from './closing';
import { intercept } from './intercept';
import { byKey, Guard, type IGuarded } from './model';
import { mayHoldKey } from './patterns';
import { ask as question } from './question';
import { guardSaves, saveAndKeep } from './saves';
import { Telling } from './telling';
import { SaveWatch } from './watch';

const CHECK = 'gemini-magic:check-keys';

type Context = DocumentRegistry.IContext<INotebookModel>;

export const guarding: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:guard',
  description: 'Keeps keys out of saved notebooks.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [
    IDocumentManager,
    ITranslator,
    ISettingRegistry,
    ICommandPalette,
    ILive,
    ...[IDocumentManagerDialogs].filter(Boolean) // an older Lab has none
  ],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    documents: IDocumentManager | null,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    live: ILive | null,
    dialogs: IDocumentManagerDialogs | null | undefined
  ): void => {
    const trans = (translator ?? nullTranslator).load('gemini_magic');
    const settings = documentSettings(registry);
    const { commands } = app;

    const guard = new Guard(ask, {
      question: (key, of) => question(key, of.name, trans),
      problem: message =>
        showErrorMessage(
          trans.__('The key is still there'),
          message ?? trans.__('The notebook was changed meanwhile.')
        )
    });

    // Two views of a notebook have one context.
    const known = new WeakMap<Context, IGuarded>();
    const guarded = (context: Context): IGuarded => {
      const of = known.get(context) ?? {
        get name() {
          return PathExt.basename(context.path);
        },
        accepted: new Set<string>(),
        content: () => context.model.toJSON() as unknown as INotebook,
        apply: (before: INotebook, after: INotebook) => apply(context.model, before, after)
      };
      known.set(context, of);
      return of;
    };

    const suspect = (context: Context): boolean =>
      context.isReady && mayHoldKey(guarded(context).content());
    const before = guardSaves<Context>(
      {
        current: () => notebooks.find(panel => panel === app.shell.currentWidget)?.context,
        show: context => {
          const panel = notebooks.find(one => one.context === context);
          if (panel !== undefined) {
            app.shell.activateById(panel.id);
          }
        },
        dirty: () =>
          notebooks.filter(panel => panel.context.model.dirty).map(panel => panel.context),
        all: () => {
          const open = [...app.shell.widgets('main')].flatMap(
            one => documents?.contextForWidget(one) ?? []
          );
          return [...new Set(open)].filter(one => one.contentsModel?.writable === true);
        }
      },
      suspect,
      context => guard.pass(guarded(context))
    );
    intercept(commands, command => (settings().guard ? before(command) : null));
    if (dialogs) {
      guardClosing(dialogs, async title => {
        const closed = notebooks.filter(
          panel => panel.title.label === title && panel.context.model.dirty
        );
        for (const context of new Set(closed.map(panel => panel.context))) {
          if (settings().guard && suspect(context) && !(await guard.pass(guarded(context)))) {
            return false;
          }
        }
        return true;
      });
    }

    /** Tells once of each key that was saved unasked. */
    const telling = new Telling<Context>(
      (key, context) => guarded(context).accepted.has(key.id) || guard.asks(guarded(context)),
      (key, context) => {
        const { name } = guarded(context);
        Notification.warning(trans.__('“%1” was saved with a key in it: %2', name, key.shown), {
          autoClose: false,
          actions: [
            {
              label: trans.__('Look'),
              caption: trans.__('Move it to the keyring, or redact it'),
              callback: () => void check(context)
            }
          ]
        });
      }
    );

    // What something else saved. Nothing connects for it: it is heard while a meter is in sight.
    live?.saved.connect((_, { path, findings }) => {
      const { contents } = app.serviceManager;
      const panel = notebooks.find(one => contents.localPath(one.context.path) === path);
      if (panel !== undefined && settings().guard) {
        telling.found(panel.context, byKey(findings as unknown as IFinding[]));
      }
    });

    /** Look at all keys of a notebook once more, and save it if one was taken out. */
    const check = async (context: Context): Promise<void> => {
      if (context.isDisposed) {
        await commands.execute('docmanager:open', { path: context.path });
        return;
      }
      const of = guarded(context);
      const [before, had] = [of.content(), [...of.accepted]];
      of.accepted.clear();
      let passed: boolean;
      try {
        passed = await guard.review(of);
      } catch (error) {
        had.forEach(id => of.accepted.add(id));
        Notification.error(told(error));
        return;
      }
      if (passed) {
        if (JSON.stringify(of.content()) !== JSON.stringify(before)) {
          await saveAndKeep(context);
        } else if (of.accepted.size === 0) {
          const elsewhere = telling.count(context) > 0;
          Notification.info(
            elsewhere
              ? trans.__(
                  'The key is in the file of “%1” and not in this editor: something else saved it. Reload the notebook from disk to look for it.',
                  of.name
                )
              : trans.__('No key was found in “%1”.', of.name),
            { autoClose: elsewhere ? false : 4000 }
          );
        }
      } else {
        had.forEach(id => of.accepted.add(id));
      }
    };

    commands.addCommand(CHECK, {
      label: trans.__('Look for Keys in This Notebook'),
      isEnabled: () => notebooks.currentWidget !== null,
      execute: async () => {
        const context = notebooks.currentWidget?.context;
        if (context !== undefined) {
          await check(context);
        }
      }
    });
    palette?.addItem({ command: CHECK, category: trans.__('Gemini') });

    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: Context) => {
        const badge = new KeyBadge(trans, () => void check(context));
        if (!panel.toolbar.insertAfter('spacer', 'geminiKeys', badge)) {
          panel.toolbar.addItem('geminiKeys', badge);
        }
        const watch = new SaveWatch(context, {
          guard,
          of: guarded(context),
          enabled: () => settings().guard,
          found: (keys, looked, at) => {
            if (looked || live?.state !== 'live') {
              telling.found(context, keys, at); // else the server looks, and tells
            }
          }
        });
        return DisposableSet.from([telling.add(context, badge), badge, watch]);
      }
    });
  }
};
