/** A server that answers as it is told, and remembers what it was asked. */

import { Refused } from '../../src/request';
import type { Ask } from '../../src/documents/routes';

export interface IAsked {
  route: string;
  body: Record<string, unknown>;
}

type Answer = (body: Record<string, unknown>) => unknown;

export class Stub {
  readonly asked: IAsked[] = [];
  private readonly answers = new Map<string, Answer[]>();

  /** The next answer of a route, or what makes it; the last one stays. An error is thrown. */
  on(route: string, ...answers: unknown[]): this {
    const made = answers.map(one => (typeof one === 'function' ? (one as Answer) : () => one));
    this.answers.set(route, made);
    return this;
  }

  readonly ask = (async (route: string, body?: Record<string, unknown>) => {
    this.asked.push({ route, body: structuredClone(body ?? {}) });
    const answers = this.answers.get(route);
    const next = answers !== undefined && answers.length > 1 ? answers.shift() : answers?.[0];
    if (next === undefined) {
      throw new Refused('There is no such route.', null, 404);
    }
    const answer = await next(body ?? {});
    if (answer instanceof Error) {
      throw answer;
    }
    return answer;
  }) as Ask;

  bodies(route: string): Record<string, unknown>[] {
    return this.asked.filter(one => one.route === route).map(one => one.body);
  }
}

export function conflict(message: string): Refused {
  return new Refused(message, null, 409);
}
