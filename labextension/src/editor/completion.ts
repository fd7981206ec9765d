/** Keeps completion from popping up while prose is written; Tab asks for it all the same. */

import type {
  CompletionHandler,
  ICompletionContext,
  ICompletionProvider
} from '@jupyterlab/completer';
import { headOf, readFirstLine, type FindOption, type Magics } from './head';

/** A name in a placeholder that is still open is worth completing. */
const OPEN_PLACEHOLDER = /\{\{[ \t]*[^\s{}]*$/;

/** Whether a position in a cell is in the prose of a prompt. */
export function inProse(text: string, at: number, magics: Magics, find: FindOption): boolean {
  const head = headOf(text, magics);
  if (head === null || OPEN_PLACEHOLDER.test(text.slice(Math.max(0, at - 200), at))) {
    return false;
  }
  const { prompt } = readFirstLine(text.slice(head.rest, head.to), find);
  return at > head.to || (at > head.rest + prompt && head.rest + prompt < head.to);
}

/** Offers nothing; where prose is written it is asked first, and wants no offers while one types. */
export class ProseProvider implements ICompletionProvider {
  constructor(
    private readonly _magics: () => Magics,
    private readonly _find: FindOption
  ) {}

  readonly identifier = 'gemini-magic:prose';
  readonly rank = 2000;
  readonly renderer = null;

  isApplicable(context: ICompletionContext): Promise<boolean> {
    const { editor } = context;
    if (editor === null || editor === undefined) {
      return Promise.resolve(false);
    }
    const at = editor.getOffsetAt(editor.getCursorPosition());
    const text = editor.model.sharedModel.getSource();
    return Promise.resolve(inProse(text, at, this._magics(), this._find));
  }

  fetch(request: CompletionHandler.IRequest): Promise<CompletionHandler.ICompletionItemsReply> {
    return Promise.resolve({ start: request.offset, end: request.offset, items: [] });
  }

  shouldShowContinuousHint(): boolean {
    return false;
  }
}
