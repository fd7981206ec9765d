import { pythonLanguage } from '@codemirror/lang-python';
import { describe, expect, it } from 'vitest';
import { isExpression } from '../../src/editor/highlight';
import { placeholders } from '../../src/editor/placeholders';
import cases from './placeholders.json';

const isPython = (expression: string): boolean => isExpression(pythonLanguage, expression);

describe('placeholders', () => {
  it.each(cases as [string, string[]][])('of %j', (text, sources) => {
    const found = placeholders(text, isPython);
    expect(found.map(one => text.slice(one.from, one.to))).toEqual(sources);
  });
});
