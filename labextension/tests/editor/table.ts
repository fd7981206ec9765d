/** A table of options as the server gives it: what the tests of this folder need of it. */

import type { IOption } from '../../src/editor/head';
import { type Ask, OptionTable } from '../../src/editor/options';

function row(
  name: string,
  type = 'text',
  short: string | null = null,
  choices: string[] = []
): IOption {
  const values = type === 'flag' ? '' : choices.join('|') || 'VALUE';
  const kinds = name === 'thinking' ? ['google', 'openai'] : ['google', 'openai', 'local'];
  return { name, short, type, choices, help: `what ${name} does`, values, kinds };
}

export const OPTIONS: readonly IOption[] = [
  row('model', 'text', 'm'),
  row('route', 'text', 'r'),
  row('compare', 'names'),
  row('fresh', 'flag'),
  row('raw', 'flag'),
  row('quiet', 'flag', 'q'),
  row('temperature', 'float', 't'),
  row('presence-penalty', 'float'),
  row('thinking', 'thinking', null, ['off', 'low']),
  row('stop'),
  row('system', 'text', 's'),
  row('schema', 'json')
];

export const MODELS = [
  { backend: 'studio', model: 'gemini-2.5-flash', can: ['text', 'pictures in'] },
  { backend: 'proxy', model: 'gemini-2.5-flash', can: [] },
  { backend: 'proxy', model: 'gpt-5', can: ['text'] }
];

/** A server that answers these routes; `asked` lists what it was asked. */
export function server(asked: string[] = []): Ask {
  return <T>(route: string) => {
    asked.push(route);
    return Promise.resolve((route === 'options' ? OPTIONS : MODELS) as T);
  };
}

/** A table that has come. */
export async function loaded(asked: string[] = []): Promise<OptionTable> {
  const table = new OptionTable(server(asked));
  await table.load();
  return table;
}
