// Asks Gemini, prints the answer as it comes, and gives it back. `history` are the contents of a
// chat, which grows; `call(name, args)` does the work of functions, at most `hops` times.
async function askGemini(client, model, contents, config = {}, options = {}) {
  const { history = [], call, hops = 8, quiet = false } = options;
  const said = [...contents];
  const media = [];
  for (let hop = 1; ; hop += 1) {
    const asked = [...history, ...said];
    const chunks = await client.models.generateContentStream({ model, contents: asked, config });
    const parts = await partsOf(chunks, quiet);
    media.push(...parts.flatMap((part) => part.inlineData ?? []));
    const calls = parts.flatMap((part) => part.functionCall ?? []);
    if (!call || !calls.length || hop > hops) {
      const last = parts.filter((part) => !part.functionCall);
      if (last.length) history.push(...said, { role: "model", parts: last });
      const text = last.map((part) => part.text ?? "").join("");
      if (text && !quiet) process.stdout.write("\n");
      return { text, media };
    }
    const results = calls.map(({ id, name, args = {} }) => ({
      functionResponse: { ...(id && { id }), name, response: call(name, args) },
    }));
    said.push({ role: "model", parts }, { role: "user", parts: results });
  }
}


// The parts of a streamed answer without thoughts; neighbouring texts are one.
async function partsOf(chunks, quiet) {
  const parts = [];
  for await (const chunk of chunks) {
    const blocked = chunk.promptFeedback?.blockReason;
    if (blocked) console.error(`the prompt was blocked: ${blocked}`);
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
      if (part.thought || part.text === "") continue;
      const before = parts.at(-1);
      if (part.text && !quiet) process.stdout.write(part.text);
      if (part.text && before?.text && !before.thoughtSignature) {
        parts[parts.length - 1] = { ...part, text: before.text + part.text };
      } else {
        parts.push(part);
      }
    }
  }
  return parts;
}
