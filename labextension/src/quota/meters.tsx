/** Meters of models, with what was used when, and budgets. */

import * as React from 'react';
import type { IBudget, IMeter } from './contract';
import type { HistoryModel } from './history';
import type { ILive } from './live';
import { Bar, Problem, useModel, useTrans, WindowLine } from './parts';
import { Sparkline } from './sparkline';
import { clock, dollars, share, stateWord, whose } from './words';

/** All meters and budgets; asks for history while `seen`. */
export function Meters(props: {
  live: ILive;
  history: HistoryModel;
  seen: boolean;
}): React.JSX.Element {
  const { live, history, seen } = props;
  const trans = useTrans();
  useModel(live);
  useModel(history);
  const quota = live.quota;
  const used = quota?.meters.map(one => `${one.backend} ${one.model} ${sum(one)}`).join();
  React.useEffect(() => {
    if (seen && quota !== null) {
      history.refresh(quota.meters);
    }
    // What is used says when history has changed; meters are new objects with each message.
  }, [history, seen, used]);
  if (quota?.problem != null) {
    return <Problem problem={{ message: quota.problem, next: null }} />;
  }
  if (quota === null || quota.meters.length + quota.budget.length === 0) {
    return <p className="jp-gemini-Empty">{nothing()}</p>;
  }
  return (
    <>
      {live.state === 'lost' || live.state === 'missing' ? (
        <p className="jp-gemini-Empty">{trans.__('Not connected; as of %1', clock(quota.at))}</p>
      ) : null}
      {quota.meters.map(meter => {
        const past = history.of(meter);
        return (
          <MeterBox key={`${meter.backend} ${meter.model}`} meter={meter}>
            {past === undefined ? null : (
              <div className="jp-gemini-Past">
                <Sparkline points={past.hours} span="hour" of={meter.model} />
                <Sparkline points={past.days} span="day" of={meter.model} />
              </div>
            )}
          </MeterBox>
        );
      })}
      {quota.budget.map(budget => (
        <BudgetLine key={`${budget.backend} ${budget.period}`} budget={budget} />
      ))}
    </>
  );

  function nothing(): string {
    return live.state === 'missing'
      ? trans.__('This Jupyter server does not know gemini_magic: quota is not known here.')
      : trans.__('Nothing was asked yet.');
  }
}

/** One model's windows, and when the first that is full opens. */
export function MeterBox(props: { meter: IMeter; children?: React.ReactNode }): React.JSX.Element {
  const trans = useTrans();
  const { meter } = props;
  const closed = meter.windows.filter(one => one.state === 'empty' && one.resets_at !== null);
  const opens = Math.max(...closed.map(one => one.resets_at ?? 0));
  return (
    <div className="jp-gemini-Meter" data-state={meter.state}>
      <h4>
        <span className="jp-gemini-Meter-model">{meter.model}</span>
        <span className="jp-gemini-State" data-state={meter.state}>
          {stateWord(meter.state, trans)}
        </span>
      </h4>
      <div className="jp-gemini-Meter-whose">{whose(meter)}</div>
      {meter.windows.map(window => (
        <WindowLine key={window.window} window={window} of={meter.model} />
      ))}
      {closed.length === 0 ? null : (
        <div className="jp-gemini-Meter-whose">{trans.__('Opens %1', clock(opens))}</div>
      )}
      {props.children}
    </div>
  );
}

export function BudgetLine(props: { budget: IBudget }): React.JSX.Element {
  const trans = useTrans();
  const { budget } = props;
  const name =
    budget.period === 'day'
      ? trans.__('Budget of %1 per day', budget.backend)
      : trans.__('Budget of %1 per month', budget.backend);
  const amount = `${dollars(budget.used)} / ${dollars(budget.limit)}`;
  return (
    <div className="jp-gemini-Meter" data-state={budget.state}>
      <h4>
        <span className="jp-gemini-Meter-model">{name}</span>
      </h4>
      <div
        className="jp-gemini-Window"
        data-state={budget.state}
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={budget.limit}
        aria-valuenow={Math.min(budget.used, budget.limit)}
        aria-valuetext={amount}
        title={trans.__('Begins anew %1', clock(budget.resets_at))}
      >
        <Bar share={share(budget)} state={budget.state} />
        <span className="jp-gemini-Window-count">{amount}</span>
      </div>
    </div>
  );
}

function sum(meter: IMeter): number {
  return meter.windows.reduce((total, window) => total + window.used, 0);
}
