/** The newest requests of all kernels; a click goes to the cell that asked. */

import * as React from 'react';
import type { IRequest } from './contract';
import type { Jumper } from './jump';
import type { ILive } from './live';
import { useModel, useTrans } from './parts';
import { clock, dollars, short } from './words';

export function Requests(props: {
  live: ILive;
  jumper: Jumper;
  onLost: () => void;
}): React.JSX.Element {
  const { live, jumper } = props;
  const trans = useTrans();
  useModel(live);
  const requests = live.requests ?? [];
  if (requests.length === 0) {
    return <p className="jp-gemini-Empty">{trans.__('Nothing was asked yet.')}</p>;
  }
  return (
    <ul className="jp-gemini-Requests" aria-label={trans.__('Newest first')}>
      {requests.map(request => {
        const { notebook, cell_id: cell } = request;
        const content = <RequestLines request={request} />;
        return (
          <li key={`${request.at} ${request.model} ${cell}`} title={request.prompt}>
            {cell !== null && jumper.canGo(notebook, cell) ? (
              <button
                type="button"
                onClick={() => {
                  void jumper.go(notebook, cell).then(found => {
                    if (!found) {
                      props.onLost();
                    }
                  });
                }}
              >
                {content}
                <span className="jp-gemini-mod-hidden">{trans.__('Go to its cell')}</span>
              </button>
            ) : (
              <div>{content}</div>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function RequestLines(props: { request: IRequest }): React.JSX.Element {
  const trans = useTrans();
  const { request } = props;
  const where = request.notebook?.split('/').pop();
  return (
    <>
      <span className="jp-gemini-Request-time">{clock(request.at)}</span>
      <span className="jp-gemini-Request-model">{request.model}</span>
      <span className="jp-gemini-State" data-state={colour(request)}>
        {request.cached ? trans.__('cached') : request.status}
      </span>
      <span className="jp-gemini-Request-prompt">{request.prompt}</span>
      <span className="jp-gemini-Request-rest">
        {[request.backend, tokens(), seconds(), price(), where].filter(Boolean).join(' · ')}
      </span>
    </>
  );

  function tokens(): string {
    const { input_tokens: read, output_tokens: written } = request;
    return read === null && written === null
      ? ''
      : trans.__('%1 → %2 tokens', amount(read), amount(written));
  }

  function seconds(): string {
    return request.cached ? '' : trans.__('%1 s', request.seconds.toFixed(1));
  }

  function price(): string {
    return request.price === null ? '' : dollars(request.price);
  }
}

/** A count of tokens; nobody says how many a picture takes. */
function amount(tokens: number | null): string {
  return tokens === null ? '?' : short(tokens);
}

function colour(request: IRequest): string {
  if (request.cached) {
    return 'unknown';
  }
  return { STOP: 'ok', TOOL_CALLS: 'ok', error: 'empty' }[request.status] ?? 'warn';
}
