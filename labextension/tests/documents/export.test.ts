import { describe, expect, it } from 'vitest';
import { ExportModel } from '../../src/documents/export/model';
import type { INotebook } from '../../src/documents/notebook';
import type { ITargets } from '../../src/documents/routes';
import { Refused } from '../../src/request';
import { conflict, Stub } from './stub';

const TARGETS: ITargets = {
  targets: [
    { target: 'python-genai', title: 'Python', suffix: '.py', options: ['freeze', 'retry'] },
    { target: 'curl', title: 'curl', suffix: '.sh', options: ['freeze'] },
    { target: 'aistudio', title: 'AI Studio', suffix: '', options: [] }
  ],
  options: [
    { name: 'freeze', help: 'as it was asked', default: false },
    { name: 'retry', help: 'be patient', default: true }
  ]
};
const PREVIEW = { files: [{ name: 'a.py', text: 'print()' }], notes: [] };

function notebook(source: string): INotebook {
  return { cells: [{ cell_type: 'code', source, metadata: {} }], metadata: {} };
}

async function loaded(stub: Stub, more: { target?: string } = {}): Promise<ExportModel> {
  stub.on('export', (body: Record<string, unknown>) => ('path' in body ? PREVIEW : TARGETS));
  const model = new ExportModel({
    path: 'work/a.ipynb',
    ask: stub.ask,
    content: () => notebook('1'),
    target: more.target ?? 'python-genai',
    delay: 1
  });
  await model.load();
  return model;
}

describe('an export', () => {
  it('begins with a preview of the default target, and its options', async () => {
    const stub = new Stub();
    const model = await loaded(stub);
    expect(model.state.preview).toEqual(PREVIEW);
    expect(stub.bodies('export')[1]).toEqual({
      path: 'work/a.ipynb',
      target: 'python-genai',
      options: { freeze: false, retry: true },
      content: notebook('1')
    });
    expect(model.state.to).toBe('work');
  });

  it('takes the first target where the default one is not known', async () => {
    expect((await loaded(new Stub(), { target: 'cobol' })).state.target).toBe('python-genai');
  });

  it('asks once for a preview where several options change at a time', async () => {
    const stub = new Stub();
    const model = await loaded(stub);
    model.choose({ options: { freeze: true, retry: false } });
    model.choose({ target: 'curl' });
    await expect.poll(() => model.state.looking).toBe(false);
    const asked = stub.bodies('export').slice(2);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ target: 'curl', options: { freeze: true } });
  });

  it('shows no answer to an older question', async () => {
    const stub = new Stub();
    const model = await loaded(stub);
    let release: (answer: unknown) => void = () => undefined;
    const slow = new Promise(resolve => (release = resolve));
    const late = { files: [{ name: 'late', text: '' }], notes: [] };
    stub.on('export', () => slow, PREVIEW);
    const first = model.look();
    await model.look();
    release(late);
    await first;
    expect(model.state.preview).toEqual(PREVIEW);
    expect(model.state.looking).toBe(false);
  });

  it('shows why there is no preview, and goes on', async () => {
    const stub = new Stub();
    const model = await loaded(stub);
    stub.on('export', new Refused('A key stands in cell 1.', 'Take it out.', 400), PREVIEW);
    await model.look();
    expect(model.state).toMatchObject({
      preview: null,
      problem: 'A key stands in cell 1. Take it out.'
    });
    await model.look();
    expect(model.state).toMatchObject({ preview: PREVIEW, problem: null });
  });

  it('tells that the server has no such route', async () => {
    const stub = new Stub();
    const model = new ExportModel({
      path: 'a.ipynb',
      ask: stub.ask,
      content: () => notebook(''),
      target: 'curl'
    });
    await model.load();
    expect(model.state.problem).toBe('There is no such route.');
    expect(model.state.looking).toBe(false);
  });
});

describe('what is written', () => {
  const WRITTEN = { written: ['work/a.py'], notes: [] };

  it('goes where the user says', async () => {
    const stub = new Stub().on('export/write', WRITTEN);
    const model = await loaded(stub);
    model.choose({ to: 'elsewhere' });
    expect(await model.write()).toEqual(WRITTEN);
    expect(stub.bodies('export/write')).toMatchObject([
      { form: 'files', to: 'elsewhere', overwrite: false, content: notebook('1') }
    ]);
    expect(stub.bodies('export/write')[0]).not.toHaveProperty('remote');
  });

  it('is replaced only after a question', async () => {
    const stub = new Stub().on('export/write', conflict('a.py is there already.'), WRITTEN);
    const model = await loaded(stub);
    expect(await model.write()).toBeNull();
    expect(model.state.question).toBe('a.py is there already.');
    expect(await model.write()).toEqual(WRITTEN);
    expect(stub.bodies('export/write').map(one => one['overwrite'])).toEqual([false, true]);
  });

  it('is asked for anew where something else is chosen meanwhile', async () => {
    const stub = new Stub().on('export/write', conflict('a.py is there already.'));
    const model = await loaded(stub);
    await model.write();
    model.choose({ to: 'other' });
    expect(model.state.question).toBeNull();
    await model.write();
    expect(stub.bodies('export/write').map(one => one['overwrite'])).toEqual([false, false]);
  });

  it('is committed only after its changes were shown', async () => {
    const diff = { written: [], notes: [], diff: '+x' };
    const stub = new Stub().on('export/write', diff, { written: ['a.py'], notes: [] });
    const model = await loaded(stub);
    model.choose({ form: 'git' });
    model.choose({ branch: 'b' });
    expect(await model.write()).toBeNull();
    expect(model.state.diff).toBe('+x');
    expect(await model.write()).toEqual({ written: ['a.py'], notes: [] });
    expect(stub.bodies('export/write')).toMatchObject([
      { form: 'git', branch: 'b', yes: false, remote: 'work' },
      { form: 'git', branch: 'b', yes: true, remote: 'work' }
    ]);
  });

  it('stays what it was where it fails', async () => {
    const stub = new Stub().on('export/write', new Refused('The disk is full.', null, 400));
    const model = await loaded(stub);
    expect(await model.write()).toBeNull();
    expect(model.state).toMatchObject({ problem: 'The disk is full.', writing: false });
  });

  it('is a ZIP file beside the notebook, or files of what is no program', async () => {
    const model = await loaded(new Stub());
    model.choose({ form: 'zip' });
    expect(model.state.to).toBe('work/a.zip');
    model.choose({ target: 'aistudio' });
    expect(model.state).toMatchObject({ form: 'files', to: 'work' });
    expect(model.forms).toEqual(['files']);
    model.dispose();
  });
});
