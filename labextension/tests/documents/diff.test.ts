import { describe, expect, it } from 'vitest';
import { hunksOf, pairs } from '../../src/documents/diff/parse';

const DIFF = `--- a.py
+++ a.py
@@ -1,3 +1,4 @@
-import google.generativeai as genai
+from google import genai
+from google.genai import types
 
 x = 1
@@ -10 +11 @@
-old
+new
--- n.ipynb[c2]
+++ n.ipynb[c2]
@@ -1,2 +1,1 @@
 a
--- b
`;

describe('a unified diff', () => {
  it('is read with its numbers and names', () => {
    const hunks = hunksOf(DIFF);
    expect(hunks.map(one => one.file)).toEqual(['a.py', 'a.py', 'n.ipynb[c2]']);
    expect(hunks[0]?.lines).toEqual([
      { mark: '-', text: 'import google.generativeai as genai', old: 1, new: null },
      { mark: '+', text: 'from google import genai', old: null, new: 1 },
      { mark: '+', text: 'from google.genai import types', old: null, new: 2 },
      { mark: ' ', text: '', old: 2, new: 3 },
      { mark: ' ', text: 'x = 1', old: 3, new: 4 }
    ]);
    expect(hunks[1]?.lines.map(one => one.old ?? one.new)).toEqual([10, 11]);
  });

  it('has lines that look like headers', () => {
    expect(hunksOf(DIFF)[2]?.lines[1]).toEqual({ mark: '-', text: '-- b', old: 2, new: null });
    const nested = '+++ x\n@@ -1,1 +1,2 @@\n-@@ -1 +1 @@\n++++ y\n+@@ -9 +9 @@\n';
    expect(hunksOf(nested)).toHaveLength(1);
    expect(hunksOf(nested)[0]?.lines.map(one => one.text)).toEqual([
      '@@ -1 +1 @@',
      '+++ y',
      '@@ -9 +9 @@'
    ]);
  });

  it("knows git's own lines, and nothing at all", () => {
    const git = `diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+y\n\\ No newline at end of file\n`;
    expect(hunksOf(git)).toEqual([
      { file: 'x', lines: [{ mark: '+', text: 'y', old: null, new: 1 }] }
    ]);
    expect(hunksOf('')).toEqual([]);
    expect(hunksOf('no diff\nat all')).toEqual([]);
  });

  it('stands side by side', () => {
    const [first] = hunksOf(DIFF);
    const rows = pairs(first?.lines ?? []).map(([left, right]) => [left?.text, right?.text]);
    expect(rows).toEqual([
      ['import google.generativeai as genai', 'from google import genai'],
      [undefined, 'from google.genai import types'],
      ['', ''],
      ['x = 1', 'x = 1']
    ]);
  });
});
