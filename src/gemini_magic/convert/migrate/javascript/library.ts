/** A stream's pieces as they come, and what is made of all of them when it ends. */
async function withWhole(asked: any, whole: any): Promise<any> {
  const source = await asked;
  const pieces: any[] = [];
  let wake = () => {};
  let over = false;
  const read = (async () => {
    try {
      for await (const piece of source) {
        pieces.push(piece);
        wake();
      }
    } finally {
      over = true;
      wake();
    }
  })();
  const response = read.then(() => whole(pieces));
  response.catch(() => {});
  async function* stream(): AsyncGenerator<any> {
    for (let at = 0; ; at++) {
      while (at >= pieces.length) {
        if (over) return await read;
        await new Promise((resolve: any) => {
          wake = resolve;
        });
      }
      yield pieces[at];
    }
  }
  return { stream: stream(), response };
}

/** A stream, and the whole answer that comes of it. */
function collected(asked: any): Promise<any> {
  return withWhole(asked, (pieces: any[]) => {
    const last = pieces[pieces.length - 1];
    const parts = pieces.flatMap((one: any) => one.candidates?.[0]?.content?.parts ?? []);
    const calls = parts.flatMap((one: any) => (one.functionCall ? [one.functionCall] : []));
    const content = { role: "model", parts };
    return {
      candidates: [{ ...last?.candidates?.[0], content }],
      usageMetadata: last?.usageMetadata,
      promptFeedback: pieces[0]?.promptFeedback,
      text: pieces.map((one: any) => one.text ?? "").join(""),
      functionCalls: calls.length ? calls : undefined,
    };
  });
}

/** A stream of openai's, and the whole answer that comes of it. */
function collectedAnswer(asked: any): Promise<any> {
  return withWhole(asked, (pieces: any[]) => {
    const choices = pieces.flatMap((one: any) => one.choices?.slice(0, 1) ?? []);
    const content = choices.map((one: any) => one.delta?.content ?? "").join("");
    const calls: any[] = [];
    for (const call of choices.flatMap((one: any) => one.delta?.tool_calls ?? [])) {
      const { name, arguments: more } = call.function ?? {};
      const made = (calls[call.index] ??= { type: "function", function: { arguments: "" } });
      if (call.id) made.id = call.id;
      if (name) made.function.name = name;
      made.function.arguments += more ?? "";
    }
    const message = { role: "assistant", content, ...(calls.length ? { tool_calls: calls } : {}) };
    const finish_reason = choices.map((one: any) => one.finish_reason).filter(Boolean).pop();
    const usage = pieces.map((one: any) => one.usage).filter(Boolean).pop();
    return { choices: [{ index: 0, message, finish_reason }], usage };
  });
}

/** The request of openai's chat endpoint that means one of Gemini's. */
function chatRequest(request: any): any {
  const config = request.config ?? {};
  const system = config.systemInstruction;
  const messages = asMessages(request.contents);
  if (system) messages.unshift(...asMessages(system, "system"));
  const made: any = { model: request.model.replace(/^models\//, ""), messages };
  const names: any = {
    temperature: "temperature",
    topP: "top_p",
    maxOutputTokens: "max_tokens",
    candidateCount: "n",
    stopSequences: "stop",
    seed: "seed",
    presencePenalty: "presence_penalty",
    frequencyPenalty: "frequency_penalty",
    responseLogprobs: "logprobs",
    logprobs: "top_logprobs",
  };
  for (const name in names) {
    if (config[name] !== undefined && config[name] !== null) made[names[name]] = config[name];
  }
  const schema = config.responseJsonSchema ?? (config.responseSchema && asSchema(config.responseSchema));
  if (schema) {
    made.response_format = { type: "json_schema", json_schema: { name: "answer", schema } };
  } else if (config.responseMimeType === "application/json") {
    made.response_format = { type: "json_object" };
  }
  const declared = (config.tools ?? []).flatMap((one: any) => one.functionDeclarations ?? []);
  if (declared.length) {
    made.tools = declared.map((one: any) => {
      const parameters = one.parametersJsonSchema ?? (one.parameters && asSchema(one.parameters));
      const { name, description } = one;
      return { type: "function", function: { name, description, parameters } };
    });
  }
  const choice = config.toolConfig?.functionCallingConfig;
  if (choice && made.tools) {
    const names = choice.allowedFunctionNames ?? [];
    const mode = String(choice.mode ?? "AUTO").toUpperCase();
    made.tool_choice = mode === "ANY" ? "required" : mode === "NONE" ? "none" : "auto";
    if (mode === "ANY" && names.length === 1) {
      made.tool_choice = { type: "function", function: { name: names[0] } };
    }
  }
  return made;
}

/** Contents of Gemini's as messages: calls of functions and their answers find each other. */
function asMessages(contents: any, role: any = "user"): any[] {
  const items = [contents].flat();
  const turns = items.some((one: any) => one?.parts) ? items : [{ role, parts: items }];
  const messages: any[] = [];
  const open: any[] = [];
  for (const turn of turns) {
    const who = turn.role === "model" ? "assistant" : role === "system" ? "system" : "user";
    const parts: any[] = [];
    const calls: any[] = [];
    for (const part of [turn.parts ?? turn].flat()) {
      if (part.functionCall) {
        const { name, args } = part.functionCall;
        const id = part.functionCall.id ?? `call_${messages.length}_${calls.length}`;
        calls.push({ id, type: "function", function: { name, arguments: JSON.stringify(args ?? {}) } });
        open.push({ id, name });
      } else if (part.functionResponse) {
        const { id, name, response } = part.functionResponse;
        const at = open.findIndex((one: any) => (id ? one.id === id : one.name === name));
        const [call] = at < 0 ? [{ id: id ?? name }] : open.splice(at, 1);
        messages.push({ role: "tool", tool_call_id: call.id, content: JSON.stringify(response) });
      } else if (!part.thought) {
        parts.push(asPart(part));
      }
    }
    const text = parts.map((one: any) => one.text ?? "").join("");
    if (calls.length) messages.push({ role: who, content: text || null, tool_calls: calls });
    else if (who === "assistant") messages.push({ role: who, content: text });
    else if (parts.length === 1 && parts[0].type === "text") messages.push({ role: who, content: text });
    else if (parts.length) messages.push({ role: who, content: parts });
  }
  return messages;
}

/** A text, a picture, sound or a file as a part of a message. */
function asPart(part: any): any {
  if (typeof part === "string") return { type: "text", text: part };
  if (part.text !== undefined) return { type: "text", text: part.text };
  const { data, mimeType = "" } = part.inlineData ?? part.fileData ?? {};
  const url = data === undefined ? part.fileData?.fileUri : `data:${mimeType};base64,${data}`;
  if (url === undefined) throw new Error(`this cannot be sent: ${Object.keys(part)}`);
  if (mimeType.startsWith("image/")) return { type: "image_url", image_url: { url } };
  if (data !== undefined && /^audio\/(wav|mp3|mpeg)$/.test(mimeType)) {
    const format = mimeType === "audio/wav" ? "wav" : "mp3";
    return { type: "input_audio", input_audio: { data, format } };
  }
  return { type: "file", file: { filename: `file.${mimeType.split("/")[1]}`, file_data: url } };
}

/** A schema of Gemini's in JSON schema's words. */
function asSchema(schema: any): any {
  const made: any = {};
  for (const [name, value] of Object.entries(schema)) {
    if (name === "type") made.type = String(value).toLowerCase();
    else if (name === "items") made.items = asSchema(value);
    else if (name === "anyOf") made.anyOf = value.map(asSchema);
    else if (name === "properties") {
      made.properties = {};
      for (const key in value) made.properties[key] = asSchema(value[key]);
    } else if (!["nullable", "propertyOrdering", "example"].includes(name) && value !== "enum") {
      made[name] = value;
    }
  }
  if (schema.nullable && made.type) made.type = [made.type, "null"];
  return made;
}

/** The functions that an answer asks for, as Gemini's answers have them. */
function callsOf(answer: any): any {
  const choice = answer?.choices?.[0];
  const calls = (choice?.message ?? choice?.delta)?.tool_calls;
  return calls?.length
    ? calls.map((one: any) => ({
        id: one.id,
        name: one.function.name,
        args: JSON.parse(one.function.arguments || "{}"),
      }))
    : undefined;
}

/** What an answer says, as a turn of Gemini's. */
function contentOf(answer: any): any {
  const choice = answer?.choices?.[0];
  const text = (choice?.message ?? choice?.delta)?.content;
  const calls = callsOf(answer) ?? [];
  const parts = calls.map((functionCall: any) => ({ functionCall }));
  return { role: "model", parts: text ? [{ text }, ...parts] : parts };
}

/** What is to be embedded, as texts. */
function inputOf(contents: any): any {
  if (Array.isArray(contents)) return contents.map(inputOf);
  if (typeof contents === "string") return contents;
  return [contents.parts ?? contents].flat().map((one: any) => one.text ?? one).join("");
}

/** A conversation: what a model is asked with, and the turns so far. */
function conversation(client: any, settings: any): any {
  const messages: any[] = settings.history?.length ? asMessages(settings.history) : [];
  const ask = (message: any, config: any, more: any) => {
    const open = messages.flatMap((one: any) => one.tool_calls ?? []);
    const said = asMessages(message);
    for (const one of said) {
      const call = open.filter((own: any) => own.function.name === one.tool_call_id).pop();
      if (one.role === "tool" && call) one.tool_call_id = call.id;
    }
    const own = { ...settings, config: config ?? settings.config, contents: [] };
    const request = chatRequest(own);
    request.messages = [...request.messages, ...messages, ...said];
    return { said, answer: client.chat.completions.create({ ...request, ...more }) };
  };
  const keep = (said: any, answer: any) => {
    const { role, content, tool_calls } = answer.choices[0].message;
    messages.push(...said, { role, content, ...(tool_calls ? { tool_calls } : {}) });
  };
  return {
    async sendMessage({ message, config }: any): Promise<any> {
      const { said, answer } = ask(message, config, {});
      const made = await answer;
      keep(said, made);
      return made;
    },
    async sendMessageStream({ message, config }: any): Promise<any> {
      const { said, answer } = ask(message, config, { stream: true });
      const { stream, response } = await collectedAnswer(answer);
      response.then((made: any) => keep(said, made), () => {});
      return stream;
    },
    getHistory: () => messages,
  };
}
