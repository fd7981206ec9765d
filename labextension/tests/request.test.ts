import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';
import { ask, Refused, socketAddress } from '../src/request';

function server(status: number, text: string, asked: Request[] = []): ServerConnection.ISettings {
  const answer = (request: Request): Promise<Response> => {
    asked.push(request);
    return Promise.resolve(new Response(status === 204 ? null : text, { status }));
  };
  return ServerConnection.makeSettings({
    baseUrl: 'http://lab.test/user/me/',
    wsUrl: 'ws://lab.test/user/me/',
    token: 'a token',
    appendToken: true,
    fetch: answer as typeof fetch
  });
}

describe('ask', () => {
  it('gets, and posts what it is given as JSON', async () => {
    const asked: Request[] = [];
    const settings = server(200, '{"a": 1}', asked);
    expect(await ask('quota', undefined, undefined, settings)).toEqual({ a: 1 });
    await ask('import', { path: 'x' }, undefined, settings);
    expect(asked.map(one => one.method)).toEqual(['GET', 'POST']);
    expect(new URL(asked[1]?.url ?? '').pathname).toBe('/user/me/gemini-magic/api/import');
    expect(await asked[1]?.text()).toBe('{"path":"x"}');
  });

  it('reads an empty answer as nothing', async () => {
    expect(await ask('cache', undefined, 'DELETE', server(204, ''))).toBeUndefined();
  });

  it('tells the message and the next step of a refusal', async () => {
    const refused = server(409, '{"message": "It is there.", "next": "Take another name."}');
    const error: unknown = await ask('backends', {}, undefined, refused).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({
      message: 'It is there.',
      next: 'Take another name.',
      status: 409
    });
  });

  it('survives an error page that is no JSON', async () => {
    const error: unknown = await ask('quota', undefined, undefined, server(502, '<html>')).catch(
      (e: unknown) => e
    );
    expect(error).toMatchObject({ next: null, status: 502 });
  });
});

it('a socket has its token in the address', () => {
  expect(socketAddress('live', server(200, ''))).toBe(
    'ws://lab.test/user/me/gemini-magic/api/live?token=a%20token'
  );
});
