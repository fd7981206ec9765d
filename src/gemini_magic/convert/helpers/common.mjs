// A key from the environment, under the first of these names that is set.
function key(...names) {
  const found = names.map((name) => process.env[name]).find(Boolean);
  if (found) return found;
  console.error(`Set ${names.join(" or ")}: no key is written into this script.`);
  process.exit(2);
}


// What only Python knew of a prompt, from the environment.
function given(name, placeholder) {
  if (process.env[name] !== undefined) return process.env[name];
  console.error(`Set ${name}: the prompt says ${placeholder} there.`);
  process.exit(2);
}


// The base64 of a file that lies beside this script.
function inputFile(name) {
  return readFileSync(new URL(name, import.meta.url)).toString("base64");
}


// The JSON value of an answer, also if it stands in a fence.
function parsed(answer) {
  return JSON.parse(answer.text.replace(/^\s*```(?:json)?\s*\n|\n\s*```\s*$/g, ""));
}


// What a function gave back when the notebook ran; what it was not asked then is not known.
function recorded(table) {
  return (name, args) => {
    const at = table.findIndex((one) => one.name === name && isDeepStrictEqual(one.args, args));
    if (at < 0) {
      throw new Error(
        `The model called ${name}(${JSON.stringify(args)}). That is a Python function: ` +
          "write it in JavaScript, and give it instead of what was recorded.",
      );
    }
    const [found] = table.splice(at, 1);
    table.push(found); // asked again, it gives what it gave the next time
    return found.response;
  };
}


// Writes pictures and sounds of an answer to files named after `place`.
function save(place, media) {
  mkdirSync(dirname(place), { recursive: true });
  media.forEach(({ mimeType, data }, index) => {
    const bytes = Buffer.from(data, "base64");
    const isPcm = /^audio\/(?:l16|pcm)\b/i.test(mimeType);
    const kind = isPcm ? "wav" : mimeType.split(/[/;+]/)[1].replace("jpeg", "jpg").replace("mpeg", "mp3");
    const name = `${place}_${index + 1}.${kind.replace(/\W/g, "")}`;
    writeFileSync(name, isPcm ? wave(bytes, mimeType) : bytes);
    console.error(`saved ${name}`);
  });
}


// A WAV file of 16-bit samples, one channel.
function wave(samples, mimeType) {
  const rate = Number(/rate=(\d+)/.exec(mimeType)?.[1] ?? 24000);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}
