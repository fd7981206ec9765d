/** The pictures of the notebook in front as small ones; a click shows one large. */

import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { GalleryModel, IPicture } from './gallery';
import type { Jumper } from './jump';
import { useHold, useModel, useTrans } from './parts';
import { fileName, source } from './pictures';

export function Gallery(props: {
  model: GalleryModel;
  jumper: Jumper;
  seen: boolean;
}): React.JSX.Element {
  const { model, jumper } = props;
  const trans = useTrans();
  useModel(model);
  useHold(model, props.seen);
  if (model.pictures.length === 0) {
    return (
      <p className="jp-gemini-Empty">
        {model.path === null
          ? trans.__('No notebook is open.')
          : trans.__('This notebook has no pictures.')}
      </p>
    );
  }
  return (
    <ul className="jp-gemini-Gallery">
      {model.pictures.map(picture => {
        const name = nameOf(picture, trans);
        return (
          <li key={`${picture.cellId} ${picture.ordinal}`}>
            <button
              type="button"
              aria-label={trans.__('Show %1', name)}
              title={name}
              onClick={() => void showLarge(picture, model.path, jumper, trans)}
            >
              <img src={source(picture)} alt="" loading="lazy" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** A dialog with the picture as large as fits; go to its cell, save it, or close. */
async function showLarge(
  picture: IPicture,
  path: string | null,
  jumper: Jumper,
  trans: TranslationBundle
): Promise<void> {
  const name = nameOf(picture, trans);
  const body = ReactWidget.create(
    <img className="jp-gemini-Large" src={source(picture)} alt={name} />
  );
  const dialog = new Dialog({
    title: name,
    body,
    hasClose: true,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Go to cell'), actions: ['jump'] }),
      Dialog.cancelButton({ label: trans.__('Save'), actions: ['save'] }),
      Dialog.okButton({ label: trans.__('Close') })
    ]
  });
  dialog.addClass('jp-gemini-LargeDialog');
  const { button } = await dialog.launch();
  if (button.actions.includes('jump')) {
    await jumper.go(path, picture.cellId);
  } else if (button.actions.includes('save')) {
    const link = document.createElement('a');
    link.href = source(picture);
    link.download = fileName(path, picture);
    link.click();
  }
}

function nameOf(picture: IPicture, trans: TranslationBundle): string {
  return trans.__('Picture %1 of cell %2', picture.ordinal, picture.cell);
}
