/** The tools of a %%gemini cell as commands: run it elsewhere, compare models, show it as code. */

import { Notification } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import { told } from '../documents/problem';
import type { IBackend } from '../quota/contract';
import { ask } from '../request';
import type { ActiveCell } from './activeCell';
import { showCode } from './codeDialog';
import { CodeModel } from './codeModel';
import { askComparison } from './compareDialog';
import { geminiIcon } from './icon';
import { choicesOf, itemOf } from './names';
import type { OptionTable } from './options';

export const CommandIDs = {
  tools: 'gemini-magic:cell-tools',
  runOn: 'gemini-magic:run-on-backend',
  compare: 'gemini-magic:compare-models',
  code: 'gemini-magic:show-as-code'
} as const;

export interface ITools {
  readonly commands: CommandRegistry;
  readonly cell: ActiveCell;
  readonly table: OptionTable;
  readonly languages: IEditorLanguageRegistry;
  readonly trans: TranslationBundle;
}

/** Add the commands; all of them are about the active cell. */
export function addTools(given: ITools): void {
  const { commands, cell, trans } = given;
  const here = { isEnabled: () => cell.isPrompt, isVisible: () => cell.isPrompt };
  commands.addCommand(CommandIDs.tools, {
    ...here,
    label: trans.__('Prompt tools'),
    caption: trans.__('Run this prompt on another backend, compare models, show it as code'),
    icon: geminiIcon,
    execute: () => guarded(() => openMenu(given, true))
  });
  commands.addCommand(CommandIDs.runOn, {
    ...here,
    label: args =>
      typeof args['label'] === 'string'
        ? args['label']
        : trans.__('Run this prompt on another backend…'),
    caption: trans.__('Write the backend into the cell, and run it'),
    execute: args => {
      const { backend, model } = args;
      return guarded(() =>
        typeof backend === 'string'
          ? runOn(given, typeof model === 'string' ? `${backend}:${model}` : backend)
          : openMenu(given, false)
      );
    }
  });
  commands.addCommand(CommandIDs.compare, {
    ...here,
    label: trans.__('Compare models on this prompt…'),
    execute: () => guarded(() => compare(given))
  });
  commands.addCommand(CommandIDs.code, {
    ...here,
    label: trans.__('Show this prompt as code…'),
    execute: () => guarded(() => show(given))
  });
  cell.changed.connect(() => {
    for (const id of Object.values(CommandIDs)) {
      commands.notifyCommandChanged(id);
    }
  });
}

/** What fails is told, not thrown into the console. */
async function guarded(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    Notification.error(told(error));
  }
}

async function openMenu({ commands, cell, table, trans }: ITools, all: boolean): Promise<void> {
  const { prompt } = cell;
  if (prompt === null) {
    return;
  }
  await known(table);
  const [backends, models] = await Promise.all([ask<IBackend[]>('backends'), table.models(true)]);
  const model = prompt.value('model', table.find);
  const menu = new Menu({ commands });
  menu.addClass('jp-gemini-CellMenu');
  menu.node.setAttribute('aria-label', trans.__('Prompt tools'));
  for (const one of backends) {
    menu.addItem({ command: CommandIDs.runOn, args: itemOf(one, model, models, trans) });
  }
  if (all) {
    menu.addItem({ type: 'separator' });
    menu.addItem({ command: CommandIDs.compare });
    menu.addItem({ command: CommandIDs.code });
  }
  menu.aboutToClose.connect(() => {
    prompt.focus();
  });
  const { node } = prompt;
  const button = node.querySelector(`[data-command="${CommandIDs.tools}"]`);
  const place = (
    button ??
    node.querySelector('.jp-InputArea-editor') ??
    node
  ).getBoundingClientRect();
  menu.open(place.left, button === null ? place.top : place.bottom);
  menu.activateNextItem();
}

/** Write the backend into the cell and run it; what else says who answers is taken away. */
async function runOn({ cell, table }: ITools, model: string): Promise<void> {
  const { prompt } = cell;
  await known(table);
  prompt?.set(
    [
      ['compare', null],
      ['route', null],
      ['model', model]
    ],
    table.find
  );
  await prompt?.run();
}

async function compare({ cell, table, trans }: ITools): Promise<void> {
  const { prompt } = cell;
  if (prompt === null) {
    return;
  }
  await known(table);
  const [backends, models] = await Promise.all([ask<IBackend[]>('backends'), table.models(true)]);
  const now = prompt.value('compare', table.find) ?? prompt.value('model', table.find) ?? '';
  const chosen = now.split(',').filter(Boolean);
  const choice = await askComparison(choicesOf(backends, models, trans), chosen, trans);
  if (choice !== null) {
    prompt.set(
      [
        ['model', null],
        ['route', null],
        ['compare', choice.models.join(',')]
      ],
      table.find
    );
  }
  prompt.focus();
  if (choice?.run === true) {
    await prompt.run();
  }
}

async function show({ cell, languages, trans }: ITools): Promise<void> {
  const { prompt } = cell;
  if (prompt !== null) {
    await showCode({ model: new CodeModel(prompt.place, ask), languages, trans });
    prompt.focus();
  }
}

/** Without the table nobody knows where an option ends; asking again says what is wrong. */
async function known(table: OptionTable): Promise<void> {
  if (!(await table.load())) {
    await ask('options');
  }
}
