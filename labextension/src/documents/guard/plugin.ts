/** The guard on save: asks before a user saves a key, and tells of one that autosave has saved. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookTracker, type INotebookModel, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { DisposableSet } from '@lumino/disposable';
import { ask } from '../../request';
import type { INotebook } from '../notebook';
import { documentSettings } from '../settings';
import { apply } from './apply';
import { KeyBadge } from './badge';
import { intercept } from './intercept';
import { Guard, type IGuarded, type IKey } from './model';
import { mayHoldKey } from './patterns';
import { ask as question } from './question';
import { SaveWatch } from './watch';

const CHECK = 'gemini-magic:check-keys';

type Context = DocumentRegistry.IContext<INotebookModel>;

export const guarding: JupyterFrontEndPlugin<void> = {
  id: 'gemini-magic:guard',
  description: 'Keeps keys out of saved notebooks.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator, ISettingRegistry, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null
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

    /** The notebooks that a command saves. */
    const saved = (command: string): NotebookPanel[] =>
      command === 'docmanager:save-all'
        ? notebooks.filter(panel => panel.context.model.dirty)
        : notebooks.filter(panel => panel === app.shell.currentWidget);

    intercept(commands, command => {
      if (!settings().guard) {
        return null;
      }
      const suspects = saved(command)
        .filter(panel => panel.context.isReady)
        .map(panel => guarded(panel.context))
        .filter(of => mayHoldKey(of.content()));
      return suspects.length === 0 ? null : passAll(suspects);
    });

    const passAll = async (all: IGuarded[]): Promise<boolean> => {
      for (const of of all) {
        if (!(await guard.pass(of))) {
          return false;
        }
      }
      return true;
    };

    /** Look at all keys of a notebook once more, and save it if one was taken out. */
    const check = async (context: Context): Promise<void> => {
      if (context.isDisposed) {
        await commands.execute('docmanager:open', { path: context.path });
        return;
      }
      const of = guarded(context);
      const [before, had] = [of.content(), [...of.accepted]];
      of.accepted.clear();
      if (await guard.pass(of)) {
        if (JSON.stringify(of.content()) !== JSON.stringify(before)) {
          await context.save();
        } else if (of.accepted.size === 0) {
          Notification.info(trans.__('No key was found in “%1”.', of.name), { autoClose: 4000 });
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

    /** Tell once of each key that was saved unasked. */
    const tell = (keys: IKey[], context: Context): void => {
      const of = guarded(context);
      for (const key of keys) {
        if (of.accepted.has(key.id) || toldOf(context).has(key.id)) {
          continue;
        }
        toldOf(context).add(key.id);
        Notification.warning(trans.__('“%1” was saved with a key in it: %2', of.name, key.shown), {
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
    };
    const tellings = new WeakMap<Context, Set<string>>();
    const toldOf = (context: Context): Set<string> => {
      const ids = tellings.get(context) ?? new Set();
      tellings.set(context, ids);
      return ids;
    };

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
          found: keys => {
            badge.count = keys.length;
            tell(keys, context);
          }
        });
        return DisposableSet.from([badge, watch]);
      }
    });
  }
};
