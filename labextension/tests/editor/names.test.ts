import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { choicesOf, itemOf } from '../../src/editor/names';
import type { IBackend } from '../../src/quota/contract';
import { MODELS } from './table';

const trans = nullTranslator.load('gemini_magic');

function backend(name: string, more: Partial<IBackend> = {}): IBackend {
  return {
    name,
    kind: 'openai',
    base_url: null,
    models: [],
    model: null,
    key: { needed: true, found: true, where: null, kernels: [] },
    project: null,
    tier: null,
    state: 'ready',
    exhausted_until: null,
    in_route: false,
    own: true,
    ...more
  };
}

describe('a backend in the menu', () => {
  const item = (one: IBackend, model: string | null): unknown => itemOf(one, model, MODELS, trans);

  it('keeps the model where the backend has it', () => {
    const proxy = backend('proxy', { model: 'gpt-5' });
    const kept = { backend: 'proxy', model: 'gemini-2.5-flash' };
    expect(item(proxy, 'gemini-2.5-flash')).toMatchObject(kept);
    expect(item(proxy, 'studio:gemini-2.5-flash')).toMatchObject(kept);
    expect(item(proxy, 'llama')).toEqual({
      backend: 'proxy',
      label: 'Run on proxy · gpt-5'
    });
    expect(item(backend('other'), null)).toMatchObject({ label: 'Run on other' });
  });

  it('says why it may not answer, and can be chosen: a kernel may have the key', () => {
    expect(item(backend('a', { state: 'no key' }), null)).toEqual({
      backend: 'a',
      label: 'Run on a (no key found)'
    });
    expect(item(backend('a', { state: 'exhausted' }), null)).toEqual({
      backend: 'a',
      label: 'Run on a (quota exhausted)'
    });
  });
});

it('a comparison offers all models, and says where no key was found', () => {
  const backends = [backend('proxy'), backend('bare'), backend('studio', { state: 'no key' })];
  const choices = choicesOf(backends, MODELS, trans);
  expect(choices.slice(0, 3)).toEqual(
    ['proxy:gemini-2.5-flash', 'proxy:gpt-5', 'bare'].map(name => ({ name, label: name }))
  );
  const studio = choices.slice(3);
  expect(studio.length).toBeGreaterThan(0);
  for (const { name, label } of studio) {
    expect(name).toMatch(/^studio(:|$)/);
    expect(label).toBe(`${name} (no key found)`);
  }
});
