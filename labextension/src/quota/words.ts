/** Numbers, times and states in the reader's words. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IMeter, IWindow, State } from './contract';

/** `7`, `1.2k`, `250k`, `1.5M`: at most four characters and a unit. */
export function short(count: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k']
  ] as const) {
    if (count >= size) {
      const shown = count / size;
      return `${shown >= 100 ? Math.floor(shown) : Math.floor(shown * 10) / 10}${unit}`;
    }
  }
  return String(count);
}

/** A price in dollars: cents where they say something, more digits below one cent. */
export function dollars(price: number): string {
  if (price === 0) {
    return '$0';
  }
  return `$${price >= 0.01 ? price.toFixed(2) : price.toPrecision(2)}`;
}

export function bytes(count: number): string {
  for (const [size, unit] of [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB']
  ] as const) {
    if (count >= size) {
      return `${(count / size).toFixed(count >= 10 * size ? 0 : 1)} ${unit}`;
    }
  }
  return `${count} B`;
}

/** A time of today as `14:05`, another day's with its date. */
export function clock(at: number, now = Date.now() / 1000): string {
  const time = new Date(at * 1000);
  const sameDay = new Date(now * 1000).toDateString() === time.toDateString();
  const hours = { hour: '2-digit', minute: '2-digit' } as const;
  return sameDay
    ? time.toLocaleTimeString(undefined, hours)
    : time.toLocaleString(undefined, { month: 'short', day: 'numeric', ...hours });
}

/** The part of a limit that is used, 0 to 1; null where there is no limit. */
export function share(window: { used: number; limit: number | null }): number | null {
  if (window.limit === null) {
    return null;
  }
  return window.limit <= 0 ? 1 : Math.min(1, window.used / window.limit);
}

export function stateWord(state: State, trans: TranslationBundle): string {
  return {
    ok: trans.__('available'),
    warn: trans.__('nearly used up'),
    empty: trans.__('used up'),
    unknown: trans.__('not known')
  }[state];
}

/** What a window counts, in full. */
export function windowWord(window: IWindow['window'], trans: TranslationBundle): string {
  return {
    RPM: trans.__('requests per minute'),
    TPM: trans.__('input tokens per minute'),
    RPD: trans.__('requests per day'),
    TPD: trans.__('input tokens per day'),
    IPM: trans.__('images per minute')
  }[window];
}

/** One window as a sentence without its end: what a screen reader says of a meter. */
export function told(window: IWindow, trans: TranslationBundle): string {
  const what = windowWord(window.window, trans);
  const state = stateWord(window.state, trans);
  return window.limit === null
    ? trans.__('%1 %2, limit not known', window.used, what)
    : trans.__('%1 of %2 %3, %4', window.used, window.limit, what, state);
}

/** What a meter is of: its model, backend, project and tier. */
export function whose(meter: IMeter): string {
  return [meter.backend, meter.project, meter.tier].filter(Boolean).join(' · ');
}
