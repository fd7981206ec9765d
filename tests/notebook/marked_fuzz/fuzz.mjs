// Renders texts as JupyterLab does and reports what a trusted cell must not contain.
//
// node fuzz.mjs PATH_OF_latex.js < texts.json > problems.json
// texts.json: [[text, allowRemoteImages, lengths], ...]; problems.json: [[index, problem], ...]
// Where lengths of pieces are given, each piece is looked at, too, and all of them together must
// look like the whole text.
//
// removeMath and replaceMath are Lab's own file; marked has the options and plugins of
// @jupyterlab/markedparser-extension, and the code renderer below puts `lang` into the HTML as
// unescaped as that extension does.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { marked, Renderer } from 'marked';
import { gfmHeadingId } from 'marked-gfm-heading-id';
import { mangle } from 'marked-mangle';

globalThis.navigator ??= { appName: 'Netscape' };
const { removeMath, replaceMath } = await import(pathToFileURL(process.argv[2]).href);

const escape = text =>
  text.replace(/[&<>"']/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c]);

const found = [];
const renderer = new Renderer();
const originalCode = renderer.code;
renderer.code = token =>
  token.lang
    ? `<pre><code class="language-${token.lang}">${escape(token.text)}</code></pre>`
    : originalCode.call(renderer, token);
marked.use(gfmHeadingId(), mangle());
marked.use({
  gfm: true,
  renderer,
  walkTokens(token) {
    if (token.type === 'html') found.push(`html token ${JSON.stringify(token.raw)}`);
    if (token.type === 'image') found.push(['image', token.href]);
    if (token.type === 'code' && /mermaid\s*$/.test(token.lang ?? '')) found.push('mermaid');
  }
});

const decode = text =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|amp|lt|gt|quot);?/gi, (m, hex, dec) =>
    hex || dec
      ? String.fromCodePoint(Math.min(parseInt(hex ?? dec, hex ? 16 : 10), 0x10ffff))
      : { '&amp': '&', '&lt': '<', '&gt': '>', '&quot': '"' }[m.toLowerCase().replace(';', '')]
  );

const TAGS = new Set(
  ('p br hr em strong del code pre blockquote ul ol li h1 h2 h3 h4 h5 h6 a img input table thead ' +
   'tbody tr th td').split(' ')
);
const ATTRIBUTES = {
  a: ['href', 'title'], img: ['src', 'alt', 'title'], code: ['class'], ol: ['start'],
  th: ['align'], td: ['align'], input: ['checked', 'disabled', 'type'],
  h1: ['id'], h2: ['id'], h3: ['id'], h4: ['id'], h5: ['id'], h6: ['id']
};
const ATTRIBUTE = /\s+([^\s=>"'/]+)(?:="([^"]*)")?/y;

function* problems(html, images) {
  let at = -1;
  while ((at = html.indexOf('<', at + 1)) >= 0) {
    const tag = /<(\/?)([a-zA-Z0-9]+)/y;
    tag.lastIndex = at;
    const name = tag.exec(html);
    if (!name || !TAGS.has(name[2])) {
      yield `tag ${html.slice(at, at + 40)}`;
      continue;
    }
    ATTRIBUTE.lastIndex = tag.lastIndex;
    let end = tag.lastIndex;
    for (let a; (a = ATTRIBUTE.exec(html)); end = ATTRIBUTE.lastIndex) {
      const value = decode(a[2] ?? '');
      if (!(ATTRIBUTES[name[2]] ?? []).includes(a[1])) yield `attribute ${a[1]} of ${name[2]}`;
      if (a[1] === 'href' && !/^(https?:\/\/|mailto:|#)/i.test(value)) yield `href ${value}`;
      if (a[1] === 'src' && !(images && /^https?:\/\//i.test(value))) yield `src ${value}`;
    }
    if (html[end] !== '>') yield `tag ${html.slice(at, end + 20)}`;
    if (name[2] === 'img' && !images) yield 'image';
    at = end;
  }
}

// What a reader sees. Headings with the same words get numbered ids, through the whole text; what
// looks like removeMath's own mark, in math in code, gets another number.
const shape = html =>
  html
    .replace(/(<h\d) id="[^"]*"/g, '$1')
    .replace(/@@\d+@@/g, '@@n@@')
    .replace(/\s+/g, ' ')
    .replace(/> | </g, blank => blank.trim());

function* pieces(text, lengths) {
  let at = 0;
  for (const length of lengths) yield text.slice(at, (at += length));
  yield text.slice(at);
}

const texts = JSON.parse(readFileSync(0, 'utf8'));
const report = [];

function rendered(text, images, index) {
  found.length = 0;
  const parts = removeMath(text);
  const html = replaceMath(marked(parts.text), parts.math);
  for (const problem of found) {
    if (problem[0] !== 'image') report.push([index, problem]);
    else if (!images) report.push([index, `image token ${problem[1]}`]);
  }
  for (const problem of problems(html, images)) report.push([index, `${problem} in ${html}`]);
  return html;
}

Math.random = () => 0.5; // marked-mangle throws dice for each character of an address
texts.forEach(([text, images, lengths], index) => {
  try {
    const whole = rendered(text, images, index);
    if (!lengths) return;
    const joined = [...pieces(text, lengths)].map(one => rendered(one, images, index)).join('');
    if (shape(joined) !== shape(whole)) report.push([index, `pieces ${joined}\n  not ${whole}`]);
  } catch (error) {
    report.push([index, `Lab fails: ${error}`]);
  }
});
process.stdout.write(JSON.stringify(report));
