/** Help where the mouse rests on an option or a model of a first line. */

import { Compartment, type EditorState, type Extension } from '@codemirror/state';
import { EditorView, hoverTooltip } from '@codemirror/view';
import type { TranslationBundle } from '@jupyterlab/translation';
import { readFirstLine, type IToken, type Magics } from './head';
import type { IModel, OptionTable } from './options';

/** How many kinds of backends there are: google, openai and local. */
const ALL_KINDS = 3;

/** A word of a first line, with offsets in the document. */
interface IWord extends IToken {
  readonly text: string;
}

/** What is said: a title, and lines below it. */
export interface IHelp {
  readonly title: string;
  readonly lines: readonly string[];
}

/**
 * The extension of all editors.
 *
 * An editor with tooltips is laid out once more as it is made, a fifteenth of the browser's work
 * for it, and listens to the window; so an editor gets them when the mouse first comes to it.
 */
export function hover(
  magics: () => Magics,
  table: OptionTable,
  trans: TranslationBundle
): Extension {
  const help = tooltip(magics, table, trans);
  const slot = new Compartment();
  return slot.of(
    EditorView.domEventHandlers({
      mouseover: (_, view) => {
        view.dispatch({ effects: slot.reconfigure(help) });
      }
    })
  );
}

function tooltip(magics: () => Magics, table: OptionTable, trans: TranslationBundle): Extension {
  return hoverTooltip(async (view, position) => {
    if (wordAt(view.state, position, magics(), table) === null || !(await table.load())) {
      return null;
    }
    // What is known now may tell the words of the line apart otherwise.
    const word = wordAt(view.state, position, magics(), table);
    const help = word === null ? null : await helpFor(word, position, table, trans);
    if (word === null || help === null) {
      return null;
    }
    return { pos: word.from, end: word.to, create: () => ({ dom: drawn(help) }) };
  });
}

/** The option or value at a position, if it is in the first line of one of our magics. */
export function wordAt(
  state: EditorState,
  position: number,
  magics: Magics,
  table: OptionTable
): IWord | null {
  const line = state.doc.lineAt(position);
  const cell = magics.head(state.doc.iterLines());
  const call = cell === null ? magics.line(line.text) : null;
  const rest = cell?.rest ?? (call === null ? -1 : line.from + call.rest);
  if (rest < line.from || position < rest || position > line.to) {
    return null;
  }
  const text = state.sliceDoc(rest, line.to);
  const at = position - rest;
  const token = readFirstLine(text, table.find).tokens.find(
    one => one.from <= at && at <= one.to && one.kind !== 'guard'
  );
  if (token === undefined) {
    return null;
  }
  return {
    ...token,
    from: rest + token.from,
    to: rest + token.to,
    text: text.slice(token.from, token.to)
  };
}

/** What there is to say of a word; null if that is nothing. */
export async function helpFor(
  word: IWord,
  position: number,
  table: OptionTable,
  trans: TranslationBundle
): Promise<IHelp | null> {
  const { option } = word;
  if (word.kind === 'unknown') {
    return { title: word.text, lines: [trans.__('There is no such option.')] };
  }
  if (option === undefined) {
    return null;
  }
  if (word.kind === 'value' && (option.name === 'model' || option.name === 'compare')) {
    return modelHelp(nameAt(word, position), await table.models(), trans);
  }
  const short = option.short === null ? '' : `-${option.short}, `;
  const lines = [option.help];
  if (option.choices.length > 0) {
    lines.push(trans.__('One of: %1', option.choices.join(', ')));
  } else if (option.values !== '' && !option.help.includes(option.values)) {
    lines.push(trans.__('Takes: %1', option.values));
  }
  if (option.kinds.length < ALL_KINDS) {
    lines.push(trans.__('Only backends of kind %1', option.kinds.join(', ')));
  }
  return { title: `${short}--${option.name}`, lines };
}

/** The one of several names with commas between them that is at the position. */
function nameAt(word: IWord, position: number): string {
  let from = word.from;
  for (const name of word.text.split(',')) {
    if (position <= from + name.length) {
      return name;
    }
    from += name.length + 1;
  }
  return word.text;
}

function modelHelp(
  name: string,
  models: readonly IModel[],
  trans: TranslationBundle
): IHelp | null {
  const rows = models.filter(
    one => one.model === name || one.backend === name || `${one.backend}:${one.model}` === name
  );
  if (rows.length === 0) {
    return null;
  }
  return {
    title: name,
    lines: rows.map(({ backend, model, can }) => {
      const named = name === backend ? `${backend}:${model}` : trans.__('with %1', backend);
      return can.length === 0 ? named : `${named}: ${can.join(', ')}`;
    })
  };
}

function drawn(help: IHelp): HTMLElement {
  const box = document.createElement('div');
  box.className = 'jp-gemini-Hover';
  box.setAttribute('role', 'tooltip');
  const title = document.createElement('code');
  title.textContent = help.title;
  box.append(title);
  for (const text of help.lines) {
    const line = document.createElement('div');
    line.textContent = text;
    box.append(line);
  }
  return box;
}
