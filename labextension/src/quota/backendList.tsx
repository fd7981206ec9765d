/** The backends as a list: what state each is in, a test of its connection, and taking it out. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon, closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import { type BackendsModel, refused, type Tested } from './backends';
import type { IBackend, IKernelKey } from './contract';
import { Problem, useModel, useTrans } from './parts';
import { clock } from './words';

/** @param seen - whether the list is in sight: it is asked for then */
export function BackendList(props: { model: BackendsModel; seen: boolean }): React.JSX.Element {
  const { model, seen } = props;
  const trans = useTrans();
  useModel(model);
  React.useEffect(() => {
    if (seen) {
      void model.refresh();
    }
  }, [model, seen]);
  return (
    <>
      <Problem problem={model.problem} />
      {model.backends?.length === 0 ? (
        <p className="jp-gemini-Empty">{trans.__('No backend yet: add one.')}</p>
      ) : null}
      <ul className="jp-gemini-Backends">
        {model.backends?.map(backend => (
          <BackendItem key={backend.name} backend={backend} model={model} />
        ))}
      </ul>
    </>
  );
}

function BackendItem(props: { backend: IBackend; model: BackendsModel }): React.JSX.Element {
  const { backend, model } = props;
  const trans = useTrans();
  const tested = model.tests.get(backend.name);
  const { key } = backend;
  return (
    <li className="jp-gemini-Backend" data-backend={backend.name}>
      <div className="jp-gemini-Backend-head">
        <span className="jp-gemini-Backend-name">{backend.name}</span>
        <span className="jp-gemini-State" data-state={colour(backend)}>
          {stateOf(backend, trans)}
        </span>
      </div>
      <div className="jp-gemini-Meter-whose" title={backend.base_url ?? ''}>
        {about(backend, trans)}
      </div>
      {key.needed ? <div className="jp-gemini-Meter-whose">{keyOf(backend, trans)}</div> : null}
      <div className="jp-gemini-Actions">
        <button
          type="button"
          className="jp-gemini-Link"
          disabled={tested === 'running'}
          aria-label={trans.__('Test connection of %1', backend.name)}
          onClick={() => void model.test(backend.name)}
        >
          {tested === 'running' ? trans.__('Testing …') : trans.__('Test connection')}
        </button>
        {backend.own ? (
          <button
            type="button"
            className="jp-gemini-Link"
            aria-label={trans.__('Remove %1', backend.name)}
            onClick={() => void remove(backend.name, model, trans)}
          >
            {trans.__('Remove')}
          </button>
        ) : null}
      </div>
      <div role="status">{tested === undefined ? null : <Result tested={tested} />}</div>
    </li>
  );
}

function Result(props: { tested: Tested }): React.JSX.Element | null {
  const trans = useTrans();
  const { tested } = props;
  if (tested === 'running') {
    return null;
  }
  if (!tested.ok) {
    return (
      <p className="jp-gemini-Result" data-ok={false}>
        <closeIcon.react tag="span" width="14px" />
        <span>
          {tested.message} {tested.next}
        </span>
      </p>
    );
  }
  const models = tested.models.length;
  return (
    <p className="jp-gemini-Result" data-ok={true} title={tested.models.join('\n')}>
      <checkIcon.react tag="span" width="14px" />
      <span>
        {trans._n('Reachable: %1 model, %2 s', 'Reachable: %1 models, %2 s', models, seconds())}
      </span>
    </p>
  );

  function seconds(): string {
    return tested === 'running' ? '' : tested.seconds.toFixed(1);
  }
}

async function remove(name: string, model: BackendsModel, trans: TranslationBundle): Promise<void> {
  const answer = await showDialog({
    title: trans.__('Remove the backend %1?', name),
    body: trans.__(
      'It is taken out of your configuration, and the key that was kept for it is forgotten. What it used stays counted.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Remove') })
    ]
  });
  if (answer.button.accept) {
    try {
      await model.remove(name);
    } catch (error) {
      const { message, next } = refused(error);
      await showDialog({
        title: trans.__('%1 stays', name),
        body: [message, next].filter(Boolean).join(' '),
        buttons: [Dialog.okButton({ label: trans.__('Ok') })]
      });
    }
  }
}

function about(backend: IBackend, trans: TranslationBundle): string {
  const route = backend.in_route ? trans.__('in the route') : null;
  return [backend.kind, backend.model, backend.project, backend.tier, route]
    .filter(Boolean)
    .join(' · ');
}

/** Where the key is, as the kernels report it, or as the server knows where none did. */
function keyOf({ key }: IBackend, trans: TranslationBundle): string {
  const [having, lacking] = [true, false].map(found =>
    key.kernels.filter(kernel => (kernel.where !== null) === found)
  ) as [IKernelKey[], IKernelKey[]];
  const none = lacking.length === 0 ? [] : [noneFound(lacking, trans)];
  if (having.length > 0) {
    const places = [...new Set(having.map(kernel => placeOf(kernel, trans)))].join(', ');
    const found = trans._n(
      'Key found by %1 kernel (%2)',
      'Key found by %1 kernels (%2)',
      having.length,
      places
    );
    return [found, ...none].join('; ');
  }
  if (key.found) {
    return trans.__('Key found: %1', key.where ?? '');
  }
  return none.length === 0 ? trans.__('No key found') : trans.__('No key: %1', none[0] ?? '');
}

function noneFound(kernels: IKernelKey[], trans: TranslationBundle): string {
  const names = kernels.map(one =>
    one.notebook === null ? trans.__('another notebook') : PathExt.basename(one.notebook)
  );
  return trans._n(
    'the kernel of %2 found none',
    'the kernels of %2 found none',
    names.length,
    [...new Set(names)].join(', ')
  );
}

function placeOf(kernel: IKernelKey, trans: TranslationBundle): string {
  switch (kernel.where) {
    case 'environment':
      return trans.__('environment');
    case '.env':
      return trans.__('.env file');
    case 'keyring':
      return trans.__('keyring');
    default:
      return trans.__('file of keys');
  }
}

function colour(backend: IBackend): string {
  return { ready: 'ok', 'no key': 'warn', exhausted: 'empty', unknown: 'unknown' }[backend.state];
}

function stateOf(backend: IBackend, trans: TranslationBundle): string {
  if (backend.state === 'exhausted') {
    return backend.exhausted_until === null
      ? trans.__('exhausted')
      : trans.__('exhausted until %1', clock(backend.exhausted_until));
  }
  return {
    ready: trans.__('ready'),
    'no key': trans.__('no key'),
    unknown: trans.__('not known')
  }[backend.state];
}
