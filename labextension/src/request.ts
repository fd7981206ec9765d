/** The one way to the server's routes: token and XSRF by JupyterLab's own connection. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

const ROOT = 'gemini-magic/api';

/** What the server refused: one line, and the next step where there is one. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly next: string | null,
    readonly status: number
  ) {
    super(message);
  }
}

/**
 * Ask a route of the server extension.
 *
 * @param route - below `gemini-magic/api/`, such as `backends/work/test`
 * @param body - sent as JSON by POST, unless `method` says otherwise
 * @throws Refused if the server answers with an error, or does not answer
 */
export async function ask<T>(
  route: string,
  body?: unknown,
  method = body === undefined ? 'GET' : 'POST',
  settings = ServerConnection.makeSettings()
): Promise<T> {
  const url = URLExt.join(settings.baseUrl, ROOT, route);
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch (error) {
    throw new Refused(`Jupyter's server does not answer: ${String(error)}`, null, 0);
  }
  const text = await response.text();
  if (!response.ok) {
    throw refusal(text, response);
  }
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** The address of a websocket route below `gemini-magic/api/`. */
export function socketAddress(route: string, settings = ServerConnection.makeSettings()): string {
  const url = URLExt.join(settings.wsUrl, ROOT, route);
  return settings.appendToken && settings.token !== ''
    ? `${url}?token=${encodeURIComponent(settings.token)}`
    : url;
}

function refusal(text: string, response: Response): Refused {
  let said: { message?: unknown; next?: unknown } = {};
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    // A proxy in between answers with a page of its own.
  }
  const message = typeof said.message === 'string' ? said.message : response.statusText;
  return new Refused(message, typeof said.next === 'string' ? said.next : null, response.status);
}
