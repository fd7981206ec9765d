/** Colours %%gemini cells: switches an editor to their language and back, as its text changes. */

import { highlightingFor, type Language, ParseContext } from '@codemirror/language';
import {
  Compartment,
  EditorState,
  Prec,
  RangeSetBuilder,
  type Extension,
  type Text
} from '@codemirror/state';
import {
  Decoration,
  EditorView,
  MatchDecorator,
  ViewPlugin,
  type DecorationSet,
  type PluginValue,
  type ViewUpdate
} from '@codemirror/view';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { Parser } from '@lezer/common';
import { highlightTree, type Tag } from '@lezer/highlight';
import { headOf, readFirstLine, type FindOption, type IHead, type Magics } from './head';
import { cellLanguage, nodeOf } from './language';
import type { OptionTable } from './options';
import { placeholders, type IsPython } from './placeholders';

/** What is coloured, and by which names. */
export class Highlighter {
  constructor(
    private readonly _languages: IEditorLanguageRegistry,
    private readonly _table: OptionTable,
    private _magics: Magics
  ) {
    this._look();
    _table.changed.connect(() => {
      this._look();
    });
  }

  get magics(): Magics {
    return this._magics;
  }

  set magics(magics: Magics) {
    this._magics = magics;
    this._look(true);
  }

  /** The extension of an editor that starts with this text. */
  extension(source: string): Extension {
    const slot = new Compartment();
    const wanted = (head: IHead | null): Extension => (head === null ? this._python : this._prompt);
    if (headOf(source, this._magics) !== null) {
      this._need();
    }
    const follow = EditorState.transactionExtender.of(transaction => {
      if (!transaction.docChanged) {
        return null;
      }
      const want = wanted(this._magics.head(transaction.newDoc.iterLines()));
      if (want === slot.get(transaction.startState)) {
        return null;
      }
      if (want === this._prompt) {
        this._need();
      }
      return { effects: slot.reconfigure(want) };
    });
    const renew = (view: EditorView, all: boolean): void => {
      const { doc } = view.state;
      const head = this._magics.head(doc.iterLines());
      const want = wanted(head);
      if (want !== slot.get(view.state) && (all || head !== null || this._isIn(doc))) {
        view.dispatch({ effects: slot.reconfigure(want) });
      }
    };
    return Prec.highest([
      slot.of(wanted(headOf(source, this._magics))),
      follow,
      ViewPlugin.define(view => {
        const one = renew.bind(null, view);
        this._editors.add(one);
        return { destroy: () => this._editors.delete(one) };
      })
    ]);
  }

  /** Whether any line of a cell that is no prompt is one of ours. */
  private _isIn(doc: Text): boolean {
    for (const line of doc.iterLines()) {
      if (line.includes('%') && this._magics.line(line) !== null) {
        return true;
      }
    }
    return false;
  }

  /** Ask for what the colours of a prompt need, when the first prompt is seen. */
  private _need(): void {
    if (this._asked) {
      return;
    }
    this._asked = true;
    void this._table.load();
    const python = this._languages.findByName('python');
    if (python !== null && python.support === undefined) {
      void this._languages.getLanguage(python).then(() => {
        this._look();
      });
    }
  }

  /**
   * Make the extensions anew, for the editors that show something of them.
   *
   * @param all - all other editors take them as well: they look for other words
   */
  private _look(all = false): void {
    const find = this._table.find;
    const language = cellLanguage(this._magics, find, info => this._codeParser(info));
    const python = this._languages.findByName('python')?.support?.language;
    this._prompt = [
      language,
      EditorView.lineWrapping,
      EditorView.editorAttributes.of({ class: 'jp-gemini-Prompt' }),
      placeholderColours(this._magics, find, python)
    ];
    this._python = lineColours(this._magics, find, () => {
      this._need();
    });
    for (const renew of this._editors) {
      renew(all);
    }
  }

  private _codeParser(info: string): Parser | null {
    const name = /^\{?\.?([^\s,}]*)/.exec(info)?.[1] ?? '';
    const found = name === '' ? null : this._languages.findByName(name);
    if (found === null) {
      return null;
    }
    return (
      found.support?.language.parser ??
      ParseContext.getSkippingParser(this._languages.getLanguage(found))
    );
  }

  private _prompt: Extension = [];
  private _python: Extension = [];
  private _asked = false;
  // No signal: that compares each editor that comes with all that are there.
  private readonly _editors = new Set<(all: boolean) => void>();
}

const PLACEHOLDER = Decoration.mark({ class: 'jp-gemini-Placeholder' });

/** Placeholders, wherever they stand in a prompt: in Markdown, in fenced code, on the first line. */
function placeholderColours(
  magics: Magics,
  find: FindOption,
  python: Language | undefined
): Extension {
  const isPython: IsPython = expression => python === undefined || isExpression(python, expression);
  const colour = (state: EditorState): DecorationSet => {
    const marks = new RangeSetBuilder<Decoration>();
    const text = state.doc.toString();
    for (const [from, to] of filledParts(text, magics, find)) {
      for (const one of placeholders(text.slice(from, to), isPython)) {
        marks.add(from + one.from, from + one.to, PLACEHOLDER);
        if (python !== undefined) {
          const expression = text.slice(from + one.begin, from + one.end);
          const style = { style: (tags: readonly Tag[]) => highlightingFor(state, tags) };
          highlightTree(python.parser.parse(expression), style, (start, end, names) => {
            const at = from + one.begin;
            marks.add(at + start, at + end, Decoration.mark({ class: names }));
          });
        }
      }
    }
    return marks.finish();
  };
  return ViewPlugin.define(view => new Colours(view, colour), { decorations: one => one.marks });
}

class Colours implements PluginValue {
  constructor(
    view: EditorView,
    private readonly _colour: (state: EditorState) => DecorationSet
  ) {
    this.marks = _colour(view.state);
  }

  update(update: ViewUpdate): void {
    if (update.docChanged) {
      this.marks = this._colour(update.state);
    }
  }

  marks: DecorationSet;
}

/** The parts of a cell in which placeholders are filled: `--system`, and the prompt. */
export function filledParts(text: string, magics: Magics, find: FindOption): [number, number][] {
  const head = headOf(text, magics);
  if (head === null) {
    return [];
  }
  const { tokens, prompt } = readFirstLine(text.slice(head.rest, head.to), find);
  if (tokens.some(token => token.kind === 'option' && token.option?.name === 'raw')) {
    return [];
  }
  const system = tokens.filter(one => one.kind === 'value' && one.option?.name === 'system');
  return [
    ...system.map((one): [number, number] => [head.rest + one.from, head.rest + one.to]),
    [head.rest + prompt, text.length]
  ];
}

/** Whether the text is an expression of Python, as far as its grammar says. */
export function isExpression(python: Language, expression: string): boolean {
  let fine = true;
  python.parser.parse(expression).iterate({
    enter: node => {
      fine &&= !node.type.isError;
      return fine;
    }
  });
  return fine;
}

const WORDS: Readonly<Record<string, Decoration>> = Object.fromEntries(
  ['Magic', 'Option', 'Unknown', 'Model', 'Text', 'Setting', 'Guard'].map(name => [
    `Gemini${name}`,
    Decoration.mark({ class: `jp-gemini-${name}` })
  ])
);

/** `%gemini` lines of other cells, which stay Python; `met` is called for each of them. */
function lineColours(magics: Magics, find: FindOption, met: () => void): Extension {
  const decorator = new MatchDecorator({
    regexp: /^.*%.*$/gm,
    decorate: (add, from, _to, match) => {
      const [text] = match;
      const line = magics.line(text);
      if (line === null) {
        return;
      }
      met();
      const mark = (name: string, start: number, end: number): void => {
        const word = WORDS[name];
        if (word !== undefined) {
          add(from + start, from + end, word);
        }
      };
      mark('GeminiMagic', line.from, line.rest);
      const rest = text.slice(line.rest);
      for (const token of readFirstLine(rest, find).tokens) {
        mark(nodeOf(token), line.rest + token.from, line.rest + token.to);
      }
    }
  });
  return ViewPlugin.define(
    view => {
      let marks = decorator.createDeco(view);
      return {
        get marks(): DecorationSet {
          return marks;
        },
        update(update: ViewUpdate): void {
          marks = decorator.updateDeco(update, marks);
        }
      };
    },
    { decorations: one => one.marks }
  );
}
