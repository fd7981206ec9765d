import type { IDocumentManagerDialogs } from '@jupyterlab/docmanager';
import { expect, it } from 'vitest';
import { guardClosing } from '../../src/documents/guard/closing';
import type { IKey } from '../../src/documents/guard/model';
import { Telling } from '../../src/documents/guard/telling';

function key(id: string): IKey {
  return { id, kind: 'k', shown: 's', places: [] };
}

function telling(known: string[] = []): { it: Telling<object>; told: string[] } {
  const told: string[] = [];
  const made = new Telling<object>(
    one => known.includes(one.id),
    one => told.push(one.id)
  );
  return { it: made, told };
}

it('each key is told once, whoever finds it, and all badges count', () => {
  const { it: tell, told } = telling();
  const [context, other] = [{}, {}];
  const [one, two] = [{ count: 0 }, { count: 0 }];
  tell.add(context, one);
  const gone = tell.add(context, two);
  tell.found(context, [key('x'), key('y')]);
  tell.found(context, [key('y'), key('x')]);
  expect(told).toEqual(['x', 'y']);
  expect([one.count, two.count, tell.count(context), tell.count(other)]).toEqual([2, 2, 2, 0]);
  gone.dispose();
  tell.found(context, []);
  expect([one.count, two.count]).toEqual([0, 2]);
  tell.found(other, [key('x')]);
  expect(told).toEqual(['x', 'y', 'x']);
});

it('what is found late in an earlier save changes nothing', () => {
  const { it: tell, told } = telling();
  const [context, badge] = [{}, { count: 0 }];
  tell.add(context, badge);
  const before = performance.now();
  tell.found(context, [key('x')], before + 5);
  tell.found(context, [key('y')], before + 1);
  tell.found(context, [], before + 2);
  expect([told, badge.count]).toEqual([['x'], 1]);
  tell.found(context, [], before + 6);
  expect(badge.count).toBe(0);
});

it('what the user knows is counted and not told, until that changes', () => {
  const known = ['x'];
  const { it: tell, told } = telling(known);
  const badge = { count: 0 };
  const context = {};
  tell.add(context, badge);
  tell.found(context, [key('x')]);
  expect([told, badge.count]).toEqual([[], 1]);
  known.pop();
  tell.found(context, [key('x')]);
  expect(told).toEqual(['x']);
});

// --- closing ---

type Answer = { shouldClose: boolean; ignoreSave: boolean };

function closing(
  answer: Answer,
  passes: boolean
): { close: () => Promise<Answer[]>; asked: string[] } {
  const asked: string[] = [];
  const dialogs: Pick<IDocumentManagerDialogs, 'confirmClose' | 'saveBeforeClose'> = {
    confirmClose: () => Promise.resolve({ ...answer, doNotAskAgain: false }),
    saveBeforeClose: () => Promise.resolve(answer)
  };
  guardClosing(dialogs, title => {
    asked.push(title);
    return Promise.resolve(passes);
  });
  const close = async (): Promise<Answer[]> => [
    await dialogs.saveBeforeClose({ fileName: 'a.ipynb', writable: true }),
    await dialogs.confirmClose({ fileName: 'b.ipynb', isDirty: true })
  ];
  return { close, asked };
}

it('a save that is chosen in closing is asked for; who leaves the question keeps it open', async () => {
  const save = { shouldClose: true, ignoreSave: false };
  const refused = closing(save, false);
  expect((await refused.close()).map(one => one.shouldClose)).toEqual([false, false]);
  expect(refused.asked).toEqual(['a.ipynb', 'b.ipynb']);
  const passed = closing(save, true);
  expect((await passed.close()).map(one => one.shouldClose)).toEqual([true, true]);
});

it.each([
  { shouldClose: true, ignoreSave: true },
  { shouldClose: false, ignoreSave: false }
])('nothing is asked where nothing is saved: %j', async answer => {
  const { close, asked } = closing(answer, false);
  for (const one of await close()) {
    expect(one).toMatchObject(answer);
  }
  expect(asked).toEqual([]);
});
