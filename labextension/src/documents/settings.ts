/** What the settings editor holds for documents; its schema is `schema/documents.json`. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';

export const SETTINGS = 'gemini-magic:documents';

export interface IDocumentSettings {
  /** Ask before a notebook with a key in it is saved. */
  guard: boolean;
  /** Offer to open what is dropped and looks like a saved prompt. */
  offerImport: boolean;
  exportTarget: string;
  exportBranch: string;
  /** Where migrated programs send their requests; empty: where they did. */
  migrateBaseUrl: string;
  migrateBeside: boolean;
}

export const DEFAULTS: IDocumentSettings = {
  guard: true,
  offerImport: true,
  exportTarget: 'python-genai',
  exportBranch: 'gemini-export',
  migrateBaseUrl: '',
  migrateBeside: false
};

/** The settings as they are now, whenever it is called; without a registry the defaults. */
export function documentSettings(registry: ISettingRegistry | null): () => IDocumentSettings {
  let now = DEFAULTS;
  registry
    ?.load(SETTINGS)
    .then(settings => {
      const read = (): void => {
        now = { ...DEFAULTS, ...(settings.composite as Partial<IDocumentSettings>) };
      };
      settings.changed.connect(read);
      read();
    })
    .catch((error: unknown) => {
      console.warn('gemini_magic: the settings of documents cannot be read.', error);
    });
  return () => now;
}
