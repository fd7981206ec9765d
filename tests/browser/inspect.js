// What is in a rendered output that no answer may put there; one line each, empty if all is well.
root => {
  const FORBIDDEN = new Set(['SCRIPT', 'IFRAME', 'FRAME', 'OBJECT', 'EMBED', 'APPLET', 'FORM', 'BUTTON',
    'TEXTAREA', 'SELECT', 'BASE', 'META', 'LINK', 'STYLE', 'IMG', 'PICTURE', 'SOURCE', 'VIDEO', 'AUDIO',
    'TRACK', 'SVG', 'IMAGE', 'USE', 'FOREIGNOBJECT', 'TEMPLATE', 'DETAILS', 'DIALOG', 'PORTAL']);
  const found = [];
  for (const node of root.querySelectorAll('*')) {
    const name = node.tagName.toUpperCase();
    if (FORBIDDEN.has(name)) found.push(`<${name.toLowerCase()}>`);
    if (name === 'INPUT' && (node.type !== 'checkbox' || !node.disabled)) found.push('<input>');
    for (const {name: key, value} of node.attributes) {
      if (/^on/i.test(key)) found.push(`${key}=${value}`);
      if (/^(src|srcset|srcdoc|data|poster|action|formaction|background|ping)$/i.test(key))
        found.push(`${key}=${value}`);
      if (/^data-commandlinker/i.test(key)) found.push(`${key}=${value}`);
      // In plain text Lab itself makes links of data: and file:, which Chromium does not follow.
      const plain = node.closest('.jp-RenderedText') ? '|data:|file:' : '';
      if (/href$/i.test(key) && !RegExp(`^(https?:|mailto:|#${plain})`, 'i').test(value))
        found.push(`${key}=${value}`);
      if (key === 'style' && /url\s*\(|@import|expression|position\s*:\s*(fixed|absolute)/i.test(value) &&
          !node.closest('mjx-assistive-mml'))
        found.push(`style=${value}`);
      if (/^(id|name)$/.test(key) && value in window && !/^\d*$/.test(value)) found.push(`${key}=${value}`);
    }
  }
  return found;
}
