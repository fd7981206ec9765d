import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import './page';
import { fileName, pictureOf, source } from '../../src/quota/pictures';
import { bytes, clock, dollars, share, short, told } from '../../src/quota/words';
import { windowOf } from './server';

const trans = nullTranslator.load('gemini_magic');

it.each([
  [0, '0'],
  [999, '999'],
  [1_000, '1k'],
  [1_250, '1.2k'],
  [99_999, '99.9k'],
  [250_000, '250k'],
  [999_999, '999k'],
  [1_500_000, '1.5M']
])('%d is short for %s', (count, text) => {
  expect(short(count)).toBe(text);
});

it.each([
  [0, '$0'],
  [0.00042, '$0.00042'],
  [0.25, '$0.25'],
  [12, '$12.00']
])('$%d is %s', (price, text) => {
  expect(dollars(price)).toBe(text);
});

it.each([
  [12, '12 B'],
  [1_500, '1.5 kB'],
  [48_000_000, '48 MB']
])('%d bytes are %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

it('a time of another day has its date', () => {
  const now = new Date(2026, 10, 22, 12).getTime() / 1000;
  expect(clock(now - 60, now)).not.toMatch(/22/);
  expect(clock(now - 86_400, now)).toMatch(/21/);
});

describe('a window', () => {
  it('is told in words', () => {
    expect(told(windowOf(7), trans)).toBe('7 of 20 requests per day, available');
    expect(told(windowOf(7, { limit: null, state: 'unknown' }), trans)).toBe(
      '7 requests per day, limit not known'
    );
  });

  it('is never more than full, and full where nothing is allowed', () => {
    expect(share(windowOf(5))).toBe(0.25);
    expect(share(windowOf(50))).toBe(1);
    expect(share(windowOf(0, { limit: 0 }))).toBe(1);
    expect(share(windowOf(5, { limit: null }))).toBeNull();
  });
});

describe('a picture', () => {
  it('is the best of its bundle, in one line', () => {
    const bundle = { 'text/plain': 'x', 'image/jpeg': 'b', 'image/png': ['aa\n', 'bb\n'] };
    const picture = pictureOf(bundle);
    expect(picture).toEqual({ mime: 'image/png', data: 'aa\nbb\n' });
    expect(picture && source(picture)).toBe('data:image/png;base64,aabb');
  });

  it('is none where there is text alone, or something strange', () => {
    expect(pictureOf({ 'text/html': '<img src="http://elsewhere.test/x.png">' })).toBeNull();
    expect(pictureOf({ 'image/png': { a: 1 }, 'image/jpeg': '' })).toBeNull();
  });

  it('cannot leave its address, whatever is in it', () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>"\'</script></svg>';
    const address = source({ mime: 'image/svg+xml', data: svg });
    expect(address).not.toMatch(/[<>" ]/);
    expect(decodeURIComponent(address.split(',').at(1) ?? '')).toBe(svg);
  });

  it('has a file name of its notebook and place', () => {
    const picture = { mime: 'image/jpeg', data: '', cell: 3, ordinal: 2 };
    expect(fileName('a/b c.ipynb', picture)).toBe('b c-3-2.jpg');
    expect(fileName(null, picture)).toBe('picture-3-2.jpg');
  });
});
