"""Makes a model's Markdown safe to show, because JupyterLab runs what a trusted cell displays.

Lab renders `text/markdown` with its `removeMath`, then `marked`, then `replaceMath`, and puts the
HTML into the page: scripts run, images load. A second parser here would disagree with `marked` now
and then, so a line scanner tells code from text, and where it is not certain it says text. Nothing
is hidden from the reader: what is not allowed stays visible, as text.

Fences are followed exactly, at top level and in lists; their code stays byte for byte. One that is
left open is closed, at the end of the text or where its indentation ends. A blank line comes before
a top-level fence, and wherever else math (or, in marked before 12, a heading) could run across the
edge of a fence. The info string is cut to one plain word, since Lab puts it into HTML unescaped;
`mermaid` becomes `mermaid-source`, since a diagram is drawn in the page and can load pictures.

In text, `<` becomes `&lt;` (`\\lt ` in math) outside plain one-line code spans. A link works if it
reads `](http.., mailto:.. or #..)` in plain characters on one line; any other `](` becomes `] (`
(relative links too: they reach the user's own server). `![` becomes `! [`, and a plain image a
link that names its host. A definition `[label]: url` must be as plain, or becomes `[label] : url`.
A quote ends with a blank line. In a bare URL, `$` is percent-encoded where math could bring a quote
into `href`. TeX commands that make links or styles lose their effect (`\\ href`). Control
characters become U+FFFD, other line separators `\\n`.

tests/notebook/test_sanitise_fuzz.py holds all this against Lab's own code.
"""

from __future__ import annotations

import copy
import html
import re
from typing import NamedTuple

from gemini_magic.notebook.answer_blocks import LEAST, Lengths

__all__ = ["Cleaned", "Sanitiser", "sanitise"]

# What may stand before a block on its line: indentation, quotes, list markers, task boxes.
_PREFIX = r"(?:[ \t>]|[*+-][ \t]|\d{1,9}[.)][ \t]|\[[ xX]\][ \t])*"
# Characters that mean nothing to removeMath, marked or an HTML attribute.
_URL_CHAR = r"(?:[\w\-.~:/?#!&'*+,;=%|]|@(?!@)|[^\x00-\x7f\s])"
_URL_REST = rf"{_URL_CHAR}*(?:\({_URL_CHAR}*\){_URL_CHAR}*)*"
_URL = rf"(?:https?://|mailto:|#){_URL_REST}"
_ALT = r"[\w .,:;!?'/+-]*"
_TITLE = rf"\"{_ALT}\""
_SOME_TITLE = r"(?:[ \t]+\"[^\"\n`]*\")?[ \t]*"

# Characters and lines.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_HIDDEN = "\0"  # stands for a `[` to be escaped; the input has no control characters any more
_EMPTY = re.compile(r"[\s>\ufeff]*")
_ODD_SPACE = re.compile(r"[^\S ]|\ufeff")
_QUOTE = re.compile(rf"(?:{_PREFIX}>)?")
_MARKER = re.compile(r"([*+-]|\d{1,9}[.)]) {1,4}(?=\S)")
_RULE = re.compile(r"[-*\s]*")
_UNDERLINE = re.compile(r"\s*(?:=+|-+)\s*")
# What may begin a list item, or go on with a list.
_ITEM = re.compile(r"[ \t>]*(?:[*+-]|\d{1,9}[.)])(?:[ \t]|\Z)")

# Fences and math.
_FENCE_LINE = re.compile(rf"^({_PREFIX})(`{{3,}}(?=[^`\n]*$)|~{{3,}})(.*)$", re.M)
_FENCE_END = re.compile(r"([ \t>]*)([`~]{3,})[ \t]*")
_NEAR_FENCE = re.compile(rf"^({_PREFIX})(?=`{{3,}}[^`\n]*(?:\$|\\))", re.M)
_INFO = re.compile(r"[ \t]*([A-Za-z0-9_+#./:-]*)")
_DELIMITER = re.compile(r"(\$\$?|\\\\[()[\]]|\\(?:begin|end)\{[a-z]*\*?\})", re.I)
_MATH_COMMAND = re.compile(r"\\\\[(\[]|\\begin\{", re.I)
_PLACEHOLDER = re.compile(r"@(?=\\?@\d)")  # removeMath's own marks: a forged one stops Lab
_TEX = re.compile(
    r"\\(?=(?:href|url|require|style|cssId|class|data|mmlToken|includegraphics|unicode)(?![A-Za-z]))"
)

# A character reference; MathJax reads the page's text, in which they are characters again.
_REFERENCE = re.compile(r"&(?=(#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z]\w{1,31};))")
_TEX_CHARACTER = re.compile(r"[\\$A-Za-z0-9]")

# Inline.
_CODE_SPAN = re.compile(
    r"(?<!`)`(?:[^`\\~|\[\]\n]|\[[^`\\~|\[\]\n]*\](?![(\[:]))+`(?!`)|`+",
)
_LABEL = re.compile(rf"^({_PREFIX})\[(?=((?:\\.|[^\[\]\\])*+)(\]:?|\[|\\?\Z))", re.M | re.S)
_DEFINITION = re.compile(rf"\[[^\[\]\\`\n]+\]: +{_URL}(?: +{_TITLE})? *(?=\n|\Z)(?!\n[ \t]*[\"'(])")
_AUTOLINK = re.compile(rf"(?<!\]\()<({_URL})>")
_LINK = re.compile(rf"\]\((?:<?({_URL})>?({_SOME_TITLE})\))?", re.I)
_PLAIN_TITLE = re.compile(rf"(?:[ \t]+{_TITLE})?[ \t]*")
_IMAGE = re.compile(
    r"!\[([^\[\]\n`]*)\]\(<?([^()\s<>`]*(?:\([^()\s<>`]*\)[^()\s<>`]*)*)>?" + rf"({_SOME_TITLE})\)"
)
_IMAGE_URL = re.compile(rf"https?://(?:[^/?#]*@)?([^/?#:]+){_URL_REST}")
_SAFE_IMAGE = re.compile(rf"!\[{_ALT}\]\(https?://{_URL_REST} ?\)")
_BARE_URL = re.compile(r"(?:(?:https?|ftp)://|www\.)[^ \t\n]*", re.I)
_URL_MATH = re.compile(r"\$|\\(?=\\|begin|end)", re.I)


def sanitise(text: str, *, allow_remote_images: bool = False) -> str:
    """Return `text` (Markdown from a model) in a form that Lab may render in a trusted cell."""
    sanitiser = Sanitiser(allow_remote_images=allow_remote_images)
    sanitiser.feed(text)
    return sanitiser.markdown


class Cleaned(NamedTuple):
    """Safe Markdown, and where it can be cut.

    `blocks` are the lengths, in UTF-16 code units, of the pieces that it begins with; what is left
    is the last one. Each is as safe alone as the whole, and looks the same.
    """

    markdown: str
    blocks: tuple[int, ...]


class Sanitiser:
    """`sanitise` for a stream: finished blocks are looked at once, the open one at each reading."""

    def __init__(self, *, allow_remote_images: bool = False, least: int = LEAST) -> None:
        """`least` is the length of the shortest piece; what is shorter goes on."""
        self._scanner = _Scanner(allow_remote_images)
        self._closed = ""
        self._lengths = Lengths(least)
        self._line: list[str] = []  # pieces of the line that has not ended yet
        self._after_cr = False

    def feed(self, delta: str) -> None:
        """Take the next piece of the answer, of any size, cut anywhere."""
        if not delta:
            return
        if self._after_cr and delta[0] == "\n":
            delta = delta[1:]
        self._after_cr = delta.endswith("\r")
        delta = delta.replace("\r\n", "\n").replace("\r", "\n")
        delta = _CONTROL.sub(lambda m: "\n" if m[0] in "\u2028\u2029" else "\ufffd", delta)
        first, *rest = delta.split("\n")
        self._line.append(first)
        for piece in rest:
            self._scanner.line("".join(self._line), "\n")
            self._line = [piece]
        if self._scanner.out or self._scanner.cuts:
            self._lengths.add(self._scanner.out, self._scanner.cuts)
            self._closed += "".join(self._scanner.out)
            self._scanner.out.clear()
            self._scanner.cuts.clear()

    @property
    def markdown(self) -> str:
        """Safe Markdown of all that was fed so far; a fence still open is closed."""
        return self.cleaned().markdown

    def cleaned(self) -> Cleaned:
        """The same, and its pieces; what comes later changes none but the last.

        Only a definition of a reference does: then all is one piece.
        """
        scanner = copy.copy(self._scanner)
        scanner.out, scanner.chunk, scanner.items = [], scanner.chunk.copy(), scanner.items.copy()
        scanner.cuts = []
        line = "".join(self._line)
        if line:
            scanner.line(line, "")
        scanner.finish()
        blocks = () if scanner.defines else tuple(self._lengths.closed)
        return Cleaned(self._closed + "".join(scanner.out), blocks)


class _Scanner:
    """Line by line: which lines are code for sure, and which text must be cleaned together.

    A chunk is text between blank lines or fences. Inline Markdown and math never cross a blank
    line, so chunks are cleaned one by one. Only definitions cross, and `_definitions` stops them.
    """

    def __init__(self, allow_remote_images: bool) -> None:
        self.allow_remote_images = allow_remote_images
        self.out: list[str] = []
        self.cuts: list[int] = []  # where `out` can be cut
        self.listed = False  # what comes may go on with a list
        self.defines = False  # there are definitions: what is a link depends on the whole text
        self.chunk: list[str] = []
        self.previous = ""  # kind of the previous line: "" (blank, start), "text", "fence"
        self.items: list[tuple[int, int]] = []  # open list items: columns of marker and content
        self.dirty = False  # the text since the last blank line may follow an inline "fence"
        self.deep = False  # marked may append what is indented to a text before the blank line
        self.quotes = 0  # how deep in quotes the previous line was
        self.guard = False  # math may begin in the fence that has just ended
        self.run = ""  # the open fence's ``` or ~~~; empty outside of a fence
        self.indent = ""  # what each line inside that fence must begin with
        self.sure = False  # marked, too, sees a fence here, whatever its containers
        self.tight = False  # text stands right before that fence, and no blank line in it yet
        self.ended = True  # the last line had its newline

    def line(self, line: str, newline: str) -> None:
        """Take one line; `newline` is empty for the last one of the text."""
        self.ended = bool(newline)
        if self.run and self._fenced(line, newline):
            return
        if _EMPTY.fullmatch(line):
            line = _ODD_SPACE.sub(" ", line)
        if not line.strip(" "):
            self._flush()
            self.out.append(line + newline)
            self._blank()
            return
        self._cut(line)
        self._unquote(line)
        self._separate(self.guard)
        depth = self._depth(line)
        fence = _FENCE_LINE.fullmatch(line)
        if fence and "[" in fence[1]:  # after a task box, only some versions see a fence
            line = fence[1] + "\\" + fence[2] + fence[3]
        elif fence:
            self._open(fence[1], fence[2], fence[3] + newline, depth)
            return
        self.chunk.append(line + newline)
        self.previous = "text"

    def finish(self) -> None:
        """End of the text: close what is open."""
        if self.run:
            self._put(("" if self.ended else "\n") + self.indent + self.run)
        self._flush()

    def _cut(self, line: str) -> None:
        """Note whether all blocks are over before `line`; then all is as if the text began here."""
        item = _ITEM.match(line)
        if not self.previous and line[0] not in " \t>":
            if not (item and self.listed):
                self.cuts.append(len(self.out))
                self.items.clear()
            self.listed = False
        self.listed = self.listed or bool(item)

    def _depth(self, line: str) -> int:
        """How far `line` is indented in its list item (4: code); remembers the items it begins."""
        text = line.lstrip(" \t")
        indent = len(line) - len(text)
        if "\t" in line[:indent]:
            self.items.clear()
            depth = 4
        else:
            sibling = any(start == indent for start, _ in self.items)
            while self.items and self.items[-1][1] > indent:
                self.items.pop()
            depth = indent - (self.items[-1][1] if self.items else 0)
            marker = _MARKER.match(text)
            # Any number but 1 need not begin a list in the middle of a paragraph.
            known = self.previous != "text" or sibling or (marker and marker[1] in "*+-1.1)")
            while marker and known and depth < 4 and not _RULE.fullmatch(text):
                self.items.append((indent, indent + marker.end()))
                text = text[marker.end() :]
                indent += marker.end()
                marker = _MARKER.match(text)
        if depth < 4:
            self.deep = False
        elif self.previous == "text":
            self.deep = self.dirty = True
        return depth

    def _open(self, prefix: str, run: str, info: str, depth: int) -> None:
        """A line that opens a fence, at top level or in a list."""
        if prefix.strip():
            prefix = prefix.replace("\t", " ")
        numbered = any(c.isdigit() for c in prefix)  # "2. ```" need not interrupt a paragraph
        tight = self.previous == "text"
        self._separate((tight and (numbered or not prefix)) or self._math_begins())
        self.tight = self.previous == "text"
        plain = "\t" not in prefix and ">" not in prefix
        self.sure = plain and not self.deep and (self.previous != "text" or depth < 4)
        if self.sure:
            self._flush()
        self._put(prefix + run + _info(info))
        self.run, self.indent = run, re.sub(r"[^ \t>]", " ", prefix)
        self.guard = False

    def _fenced(self, line: str, newline: str) -> bool:
        """Handle a line inside a fence; False if it ended the fence and is text itself."""
        end = _FENCE_END.fullmatch(line)
        if end and end[2].startswith(self.run) and end[1].count(">") == self.indent.count(">"):
            width = len(end[1].expandtabs(4))
            if width < len(self.indent.expandtabs(4)) + 4:
                # One spelling that every parser, and removeMath, takes for the end.
                self._put(self.indent + self.run + newline)
                self._close()
                return True
        blank = not line.strip(" \t>") and line.count(">") == self.indent.count(">")
        if not (blank or line.startswith(self.indent)):
            self._put(self.indent + self.run + "\n")
            self._close()
            return False
        if _DELIMITER.search(line):
            self.guard = True
        if self.tight and _UNDERLINE.fullmatch(line):  # marked before 12 sees a heading
            self._put("\n")
        self.tight = self.tight and bool(line.strip(" ")) and not _UNDERLINE.fullmatch(line)
        if not self.sure and not line.strip(" "):
            self._flush()
            self.out.append(line + newline)
        else:
            self._put(line + newline)
        return True

    def _close(self) -> None:
        self.run = ""
        self.previous = "fence" if self.sure else "text"
        self.dirty = self.deep = not self.sure

    def _put(self, line: str) -> None:
        """A line of a fence: as it is if that is safe, else as text."""
        (self.out if self.sure else self.chunk).append(line)

    def _separate(self, needed: bool) -> None:
        """A blank line, so that math cannot begin before this point and end after it."""
        if needed:
            self._flush()
            self.out.append("\n")
            self._blank()

    def _blank(self) -> None:
        self.guard, self.quotes = False, 0
        if not self.deep:
            self.previous, self.dirty = "", False

    def _unquote(self, line: str) -> None:
        """End a quote with a blank line: marked loses count where one goes on lazily."""
        start = _QUOTE.match(line)
        assert start is not None
        quotes = start[0].count(">")
        if quotes < self.quotes:
            if not quotes:
                self._separate(True)
            elif not _EMPTY.fullmatch(line):
                self.chunk.append(start[0].rstrip() + "\n")
        self.quotes = quotes

    def _math_begins(self) -> bool:
        text = "".join(self.chunk)
        return bool(_MATH_COMMAND.search(text)) or "$" in _outside(text, _code_spans(text))

    def _flush(self) -> None:
        if self.chunk:
            text = "".join(self.chunk)
            self.chunk.clear()
            dirty = self.dirty or bool(self.run and not self.sure)
            text = _clean(text, dirty, self.allow_remote_images)
            if "]:" in text and any(m[3] == "]:" for m in _LABEL.finditer(text)):
                self.defines = True
            self.out.append(text)


def _clean(text: str, dirty: bool, allow_remote_images: bool) -> str:
    """Neutralise one chunk of text. `dirty`: its code spans cannot be trusted."""
    spans = [] if dirty else _code_spans(text)
    if _MATH_COMMAND.search(text):
        math = True
    else:
        math = _outside(text, spans).count("$") > 1
    # ```$`$ is a fence once removeMath has taken the math away.
    text = _NEAR_FENCE.sub(r"\1\\", text)
    text = _FENCE_LINE.sub(lambda m: m[1] + m[2] + _info(m[3]), text)
    text = _definitions(text, math)
    quotes = '"' in text
    out = []
    end = 0
    for start, stop in [] if dirty or math else _code_spans(text):
        out += [_inline(text[end:start], quotes, allow_remote_images), text[start:stop]]
        end = stop
    out.append(_inline(text[end:], quotes, allow_remote_images))
    return "".join(out)


def _info(info: str) -> str:
    """The info string of a fence: one plain word, never one that Lab draws as a diagram."""
    word = _INFO.match(info)
    assert word is not None
    rest = info[word.end() :]
    if word[1].lower() == "mermaid":
        return word[0] + "-source" + rest[len(rest.rstrip("\n")) :]
    return word[0] + (rest if not rest.strip() else rest[len(rest.rstrip("\n")) :])


def _code_spans(text: str) -> list[tuple[int, int]]:
    """Where marked surely sees one-line code spans: up to the first backtick that is in doubt."""
    spans = []
    end = 0
    for span in _CODE_SPAN.finditer(text):
        before = text[end : span.start()]
        word = before[max(before.rfind(c) for c in " \t\n") + 1 :]
        if len(span[0]) < 3 or span[0][1] == "`" or before.endswith(("\\", "~")):
            break
        if "://" in word or "www." in word.lower():  # a bare URL swallows backticks
            break
        end = span.end()
        spans.append((span.start(), end))
    return spans


def _outside(text: str, spans: list[tuple[int, int]]) -> str:
    ends = [0, *(stop for _, stop in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return " ".join(text[a:b] for a, b in zip(ends, starts, strict=True))


def _definitions(text: str, math: bool) -> str:
    """Leave only plain `[label]: url` lines; a definition may otherwise hide whole blocks."""
    edits: dict[int, str] = {}
    for m in reversed(list(_LABEL.finditer(text))):
        # An end out of sight: in another chunk, hidden by math, or by an escape put in here.
        hidden = math and ("$" in m[2] or "\\" in m[2])
        if hidden or m[3] in ("", "\\") or (m[3] == "[" and m.start(3) in edits):
            edits[m.end(1)] = _HIDDEN
        elif m[3] == "]:" and (m[1] or not _DEFINITION.match(text, m.start())):
            edits[m.end(2)] = "] "
    out = []
    end = 0
    for at in sorted(edits):
        out += [text[end:at], edits[at]]
        end = at + 1
    return "".join(out) + text[end:]


def _inline(text: str, quotes: bool, allow_remote_images: bool) -> str:
    """Links, images, URLs, TeX and `<` of text without code spans that matter.

    `quotes`: math in this chunk could hold a `"`, and so get out of a bare URL's `href`.
    """

    def image(m: re.Match[str]) -> str:
        alt = re.sub(r"[^\w .,:;!?'/+-]", "", m[1])
        url = _IMAGE_URL.fullmatch(m[2]) if re.fullmatch(_URL, m[2]) else None
        if not url:  # in the alt text, a bare URL would swallow what follows
            return f"(image: {re.sub(r'[/.]', '', alt)})"
        end = " )" if m[3] else ")"
        if allow_remote_images:
            return f"![{alt}]({m[2]}{end}"
        host = re.sub(r"[^\w.-]", "", url[1])
        return f"[image: {alt} ({host})]({m[2]}{end}"

    def bang(m: re.Match[str]) -> str:
        return m[0] if allow_remote_images and _SAFE_IMAGE.match(text, m.start()) else "! "

    def link(m: re.Match[str]) -> str:
        if not m[1]:
            return "] ("
        return f"]({m[1]}{m[2] if _PLAIN_TITLE.fullmatch(m[2]) else ' '})"

    def bare(m: re.Match[str]) -> str:
        return _URL_MATH.sub(lambda c: f"%{ord(c[0]):02X}", m[0]) if quotes else m[0]

    def reference(m: re.Match[str]) -> str:
        meant = html.unescape(f"&{m[1]}")
        return "&amp;" if len(meant) <= 2 and _TEX_CHARACTER.search(meant) else "&"

    text = _REFERENCE.sub(reference, text)
    text = _AUTOLINK.sub(r"[\1](\1)", text)
    text = _IMAGE.sub(image, text)
    text = re.sub(r"!(?=\[)", bang, text)
    text = _LINK.sub(link, text)
    text = _BARE_URL.sub(bare, text)
    text = re.sub(r"(?<=ftp:)/(?=/)", "&#47;", text, flags=re.I)
    text = _PLACEHOLDER.sub("&#64;", text)
    text = _TEX.sub(r"\\ ", text)
    return _angles(text) if "<" in text or _HIDDEN in text else text


def _angles(text: str) -> str:
    """Replace each `<`: `\\lt ` where removeMath would see math (for looks only), else `&lt;`."""
    parts = _DELIMITER.split(text)
    closing, start = "", 0
    for i in range(1, len(parts), 2):
        part = parts[i]
        if closing and part == closing:
            for j in range(start + 1, i, 2):
                parts[j] = parts[j].replace("<", "\\lt ").replace(_HIDDEN, "\\lbrack ")
            closing = ""
        elif not closing:
            start = i
            if part[0] == "$":
                closing = part
            elif part[1] == "\\":
                closing = {"(": "\\\\)", "[": "\\\\]"}.get(part[2], "")
            elif part[1:6].lower() == "begin":
                closing = "\\end" + part[6:]
    return "".join(parts).replace("<", "&lt;").replace(_HIDDEN, "\\[")
