/** The side bar: backends, quota, requests, pictures and cache, in sections that fold. */

import { Notification } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, ReactWidget, refreshIcon } from '@jupyterlab/ui-components';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { AddBackend } from './addBackend';
import { BackendList } from './backendList';
import type { BackendsModel } from './backends';
import type { CacheModel } from './cache';
import { CacheLine } from './cacheLine';
import type { GalleryModel } from './gallery';
import { Gallery } from './galleryGrid';
import type { HistoryModel } from './history';
import { dialIcon } from './icons';
import type { Jumper } from './jump';
import type { ILive } from './live';
import { Meters } from './meters';
import { Section, useHold, useModel, WordsProvider } from './parts';
import { Requests } from './requests';

/** Where the folded sections are remembered. */
const FOLDED = 'gemini-magic:folded';

export interface IModels {
  live: ILive;
  backends: BackendsModel;
  history: HistoryModel;
  gallery: GalleryModel;
  cache: CacheModel;
  jumper: Jumper;
}

export class Sidebar extends ReactWidget {
  constructor(
    private readonly models: IModels,
    private readonly trans: TranslationBundle,
    private readonly memory: IStateDB | null = null
  ) {
    super();
    this.id = 'gemini-magic-sidebar';
    this.addClass('jp-gemini-Sidebar');
    this.title.icon = dialIcon;
    this.title.caption = trans.__('Gemini: backends, quota, requests');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Gemini'));
    void memory?.fetch(FOLDED).then(known => {
      if (Array.isArray(known)) {
        this.folded = new Set(known.filter(one => typeof one === 'string'));
        this.update();
      }
    });
  }

  /** Unfold a section and bring it into sight; `adding` opens the form for a new backend. */
  reveal(section: string, adding = false): void {
    this.folded.delete(section);
    this.adding = this.adding || adding;
    MessageLoop.sendMessage(this, Widget.Msg.UpdateRequest); // at once: the next line waits for it
    void this.renderPromise?.then(() => {
      this.node.querySelector(`[data-section='${section}']`)?.scrollIntoView({ block: 'start' });
    });
  }

  protected override onAfterShow(): void {
    this.update();
  }

  protected override onAfterHide(): void {
    this.update();
  }

  protected override render(): React.JSX.Element {
    return (
      <WordsProvider value={this.trans}>
        <Sections
          {...this.models}
          seen={this.isVisible}
          trans={this.trans}
          folded={this.folded}
          onFold={this.fold}
          adding={this.adding}
          onAdding={this.add}
        />
      </WordsProvider>
    );
  }

  private readonly fold = (section: string, folded: boolean): void => {
    if (folded) {
      this.folded.add(section);
    } else {
      this.folded.delete(section);
    }
    void this.memory?.save(FOLDED, [...this.folded]);
    this.update();
  };

  private readonly add = (adding: boolean): void => {
    this.adding = adding;
    this.update();
  };

  private folded = new Set<string>();
  private adding = false;
}

interface ISections extends IModels {
  seen: boolean;
  trans: TranslationBundle;
  folded: ReadonlySet<string>;
  onFold: (section: string, folded: boolean) => void;
  adding: boolean;
  onAdding: (adding: boolean) => void;
}

function Sections(props: ISections): React.JSX.Element {
  const { live, backends, trans, seen, adding, onAdding } = props;
  useModel(live);
  useHold(live, seen);
  // A meter that fills up or opens again, or a kernel, changes what the backends can do.
  const states = live.quota?.meters.map(one => `${one.backend} ${one.state}`).join() ?? '';
  React.useEffect(() => {
    if (seen && (states !== '' || live.kernels > 0)) {
      void backends.refresh();
    }
  }, [backends, states, live.kernels]);
  const section = (
    id: string,
    title: string,
    children: React.ReactNode,
    tools?: React.ReactNode
  ): React.JSX.Element => (
    <Section
      id={id}
      title={title}
      folded={props.folded.has(id)}
      onFold={props.onFold}
      tools={tools}
    >
      {children}
    </Section>
  );
  return (
    <>
      {section(
        'quota',
        trans.__('Quota'),
        <Meters live={live} history={props.history} seen={seen} />
      )}
      {section(
        'backends',
        trans.__('Backends'),
        <>
          <BackendList model={backends} seen={seen} />
          {adding ? (
            <AddBackend
              model={backends}
              onDone={() => {
                onAdding(false);
              }}
            />
          ) : null}
        </>,
        <>
          {tool(addIcon, trans.__('Add a backend'), () => {
            onAdding(!adding);
          })}
          {tool(refreshIcon, trans.__('Look again'), () => void backends.refresh())}
        </>
      )}
      {section(
        'requests',
        trans.__('Recent requests'),
        <Requests live={live} jumper={props.jumper} onLost={lost} />
      )}
      {section(
        'gallery',
        trans.__('Pictures'),
        <Gallery model={props.gallery} jumper={props.jumper} seen={seen} />
      )}
      {section(
        'cache',
        trans.__('Cache'),
        <CacheLine model={props.cache} seen={seen} stamp={live.requests?.[0]?.at ?? 0} />
      )}
    </>
  );

  function lost(): void {
    Notification.info(trans.__('This cell is no longer in its notebook.'), { autoClose: 4000 });
  }
}

function tool(icon: typeof addIcon, name: string, onClick: () => void): React.JSX.Element {
  return (
    <button
      type="button"
      className="jp-gemini-Tool"
      title={name}
      aria-label={name}
      onClick={onClick}
    >
      <icon.react tag="span" width="16px" />
    </button>
  );
}
