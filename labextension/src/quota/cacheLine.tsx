/** How much room the kept answers take, and the button that deletes them: it asks first. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { CacheModel } from './cache';
import { Problem, useModel, useTrans } from './parts';
import { bytes } from './words';

/** @param stamp - says that an answer may have come: the size is asked for when it changes */
export function CacheLine(props: {
  model: CacheModel;
  seen: boolean;
  stamp: number;
}): React.JSX.Element {
  const { model, seen, stamp } = props;
  const trans = useTrans();
  useModel(model);
  React.useEffect(() => {
    if (seen) {
      void model.refresh();
    }
  }, [model, seen, stamp]);
  const { size, problem } = model;
  return (
    <>
      <Problem problem={problem} />
      {size === null ? null : (
        <div className="jp-gemini-Cache">
          <span>
            {trans._n('%1 answer, %2', '%1 answers, %2', size.replies, bytes(size.bytes))}
          </span>
          <button
            type="button"
            className="jp-gemini-Link"
            disabled={size.replies === 0}
            onClick={() => void clearCache(model, trans)}
          >
            {trans.__('Clear')}
          </button>
        </div>
      )}
    </>
  );
}

/** Delete all kept answers, if the user says so. */
export async function clearCache(model: CacheModel, trans: TranslationBundle): Promise<void> {
  const answer = await showDialog({
    title: trans.__('Clear the cache?'),
    body: trans.__('All kept answers are deleted. “Run all” will ask again, and use quota.'),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Clear') })
    ]
  });
  if (answer.button.accept) {
    await model.clear();
  }
}
