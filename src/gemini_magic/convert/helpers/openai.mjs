// Asks an OpenAI-compatible service, prints the answer as it comes, and gives it back.
// `instructions` go before the `history` of a chat, which grows; `call(name, args)` does the work of
// functions, at most `hops` times.
async function askOpenAI(client, model, messages, settings = {}, options = {}) {
  const { instructions = [], history = [], call, hops = 8, quiet = false } = options;
  const said = [...messages];
  const media = [];
  for (let hop = 1; ; hop += 1) {
    const stream = await client.chat.completions.create({
      model,
      messages: [...instructions, ...history, ...said],
      ...settings,
      stream: true,
      stream_options: { include_usage: true },
    });
    const answer = await answerOf(stream, quiet);
    media.push(...answer.media);
    if (!call || !answer.calls.length || hop > hops) {
      if (answer.text) history.push(...said, { role: "assistant", content: answer.text });
      if (answer.text && !quiet) process.stdout.write("\n");
      return { text: answer.text, media };
    }
    said.push({ role: "assistant", content: answer.text || null, tool_calls: answer.calls });
    for (const { id, function: wanted } of answer.calls) {
      const content = call(wanted.name, JSON.parse(wanted.arguments || "{}"));
      said.push({ role: "tool", tool_call_id: id, content });
    }
  }
}


// A streamed answer: its text, its calls of functions, its pictures and sounds.
async function answerOf(stream, quiet) {
  const calls = [];
  const media = [];
  const sound = [];
  let text = "";
  for await (const chunk of stream) {
    const delta = chunk.choices?.[0]?.delta ?? {};
    const words = (delta.content ?? "") + (delta.audio?.transcript ?? "");
    text += words;
    if (!quiet) process.stdout.write(words);
    if (delta.audio?.data) sound.push(Buffer.from(delta.audio.data, "base64"));
    for (const { image_url: image } of delta.images ?? []) {
      const found = /^data:([^;,]+);base64,(.*)$/s.exec(image?.url ?? "");
      if (found) media.push({ mimeType: found[1], data: found[2] });
    }
    for (const { index, id, function: wanted } of delta.tool_calls ?? []) {
      const at = index ?? calls.length;
      calls[at] ??= { id: id || `call_${at + 1}`, type: "function", function: { name: "", arguments: "" } };
      calls[at].function.name ||= wanted?.name ?? "";
      calls[at].function.arguments += wanted?.arguments ?? "";
    }
  }
  if (sound.length) {
    media.push({ mimeType: "audio/pcm;rate=24000", data: Buffer.concat(sound).toString("base64") });
  }
  return { text, calls: calls.filter(Boolean), media };
}


// Asks for pictures; those that lie beside this script are edited.
async function drawOpenAI(client, fields, originals = []) {
  const files = originals.map(({ file, name, type }) =>
    toFile(readFileSync(new URL(file, import.meta.url)), name, { type }),
  );
  const image = await Promise.all(files);
  const answer = files.length
    ? await client.images.edit({ ...fields, image: image.length > 1 ? image : image[0] })
    : await client.images.generate(fields);
  const drawn = (answer.data ?? []).filter((one) => one.b64_json);
  return { text: "", media: drawn.map((one) => ({ mimeType: "image/png", data: one.b64_json })) };
}
