/** Requests over time as small bars; what they show is also told in words. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { IPoint } from './contract';
import { useTrans } from './parts';

const HEIGHT = 24;
const STEP = 4;

/** One bar for each hour or day; the tallest is the most requests of one of them. */
export function Sparkline(props: {
  points: IPoint[];
  span: 'hour' | 'day';
  of: string;
}): React.JSX.Element | null {
  const trans = useTrans();
  const { points, span } = props;
  const most = Math.max(0, ...points.map(point => point.requests));
  if (points.length === 0) {
    return null;
  }
  const words = sparkWords(points, span, trans);
  return (
    <figure className="jp-gemini-Sparkline">
      <svg
        role="img"
        aria-label={trans.__('%1: %2', props.of, words)}
        viewBox={`0 0 ${points.length * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        <title>{words}</title>
        {points.map((point, index) => {
          const height = most === 0 ? 0 : (point.requests / most) * (HEIGHT - 2);
          return (
            <rect
              key={point.at}
              className={height === 0 ? 'jp-gemini-mod-none' : ''}
              x={index * STEP}
              y={HEIGHT - Math.max(1, height)}
              width={STEP - 1}
              height={Math.max(1, height)}
            />
          );
        })}
      </svg>
      <figcaption aria-hidden>
        {span === 'hour'
          ? trans.__('%1 h', points.length)
          : trans._n('%1 day', '%1 days', points.length)}
      </figcaption>
    </figure>
  );
}

/** What the bars show: how many requests in all, and when most of them were. */
export function sparkWords(
  points: IPoint[],
  span: 'hour' | 'day',
  trans: TranslationBundle
): string {
  const total = points.reduce((sum, point) => sum + point.requests, 0);
  const top = points.reduce((best, point) => (point.requests > best.requests ? point : best));
  const when = new Date(top.at * 1000);
  const [said, most] =
    span === 'hour'
      ? [
          trans._n('%1 request in %2 hours', '%1 requests in %2 hours', total, points.length),
          when.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
        ]
      : [
          trans._n('%1 request in %2 days', '%1 requests in %2 days', total, points.length),
          when.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })
        ];
  return total === 0 ? said : trans.__('%1, most at %2: %3', said, most, top.requests);
}
