/** Code to look at: coloured as Lab colours it, selectable, and no trap for the Tab key. */

import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import * as React from 'react';

interface IProps {
  name: string;
  text: string;
  label: string;
  languages: IEditorLanguageRegistry | null;
}

/** From here on colours would cost more than they show. */
const TOO_LONG = 200_000;

export function Code({ name, text, label, languages }: IProps): React.JSX.Element {
  const place = React.useRef<HTMLElement>(null);
  React.useEffect(() => {
    const shown = document.createElement('code');
    const language =
      text.length > TOO_LONG ? null : (languages?.findByFileName(fileName(name)) ?? null);
    if (languages === null || language === null) {
      place.current?.replaceChildren(text);
      return;
    }
    let left = false;
    void languages.highlight(text, language, shown).then(
      () => {
        if (!left) {
          place.current?.replaceChildren(...shown.childNodes);
        }
      },
      () => place.current?.replaceChildren(text)
    );
    return () => {
      left = true;
    };
  }, [name, text, languages]);
  return (
    <pre className="jp-gemini-Code" tabIndex={0} role="region" aria-label={label}>
      <code ref={place}>{null}</code>
    </pre>
  );
}

/** What Lab knows Node's modules by. */
function fileName(name: string): string {
  return name.replace(/\.mjs$/, '.js');
}
