from tests.browser.test_hostile import *
from tests.browser.test_hostile import _answer
def test_x(lab, chromium, google):
    with Canary() as canary:
        payloads = aimed(canary.url)
        path = lab.write("control", "1")
        nb = Notebook(lab, lab.open_page(chromium), path)
        for rnd in range(2):
          for name, text in payloads.items():
            if name in ("base-meta","link-local"): continue
            nb.witness.clear()
            try:
                nb.page.evaluate(RENDER, [(name,text)]); nb.page.wait_for_timeout(150)
            except Exception as e: print(name, "EXC", str(e)[:80])
            if nb.witness.visited and any("about:" not in v for v in nb.witness.visited): print(name, nb.witness.visited)
            if "jupyterapp" not in nb.page.evaluate("()=>Object.keys(window).filter(k=>k=='jupyterapp').join()"):
                print("page left at", name, nb.page.url); nb.page.close(); nb = Notebook(lab, lab.open_page(chromium), path)
