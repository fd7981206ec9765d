/** What went wrong, as people read it. */

import { Refused } from '../request';

/** The message of an error, and its next step where it has one. */
export function told(error: unknown): string {
  if (error instanceof Refused) {
    return error.next === null ? error.message : `${error.message} ${error.next}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether the server asks back: something is in the way, or has to be allowed first. */
export function asksBack(error: unknown): error is Refused {
  return error instanceof Refused && error.status === 409;
}
