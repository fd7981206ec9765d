// Runs many programs in one process, and says what each of them printed.
//
// node javascript_runner.mjs URL FOLDER REDIRECT NAME...: the programs lie in the folder; the answer
// is a JSON object of name to [what was printed, the error or null]. With REDIRECT, Google's address
// is the URL: the old SDK has it built in. Nothing else than the URL can be reached.
import { pathToFileURL } from "node:url";

const [url, folder, redirect, ...names] = process.argv.slice(2);
const google = "https://generativelanguage.googleapis.com";
const real = globalThis.fetch;
globalThis.fetch = (where, init) => {
  let to = String(where?.url ?? where);
  if (redirect === "yes") to = to.replace(google, url);
  if (!to.startsWith(url)) throw new Error(`${to} is not asked in tests`);
  return real(to, init);
};
globalThis.ENDPOINT = url;
const write = process.stdout.write.bind(process.stdout);
const said = {};
for (const name of names) {
  await real(`${url}/case/${name}`);
  let printed = "";
  process.stdout.write = (text) => {
    printed += text;
    return true;
  };
  let error = null;
  try {
    const made = await import(pathToFileURL(`${folder}/${name}`).href);
    await made.default;
  } catch (problem) {
    error = String(problem?.stack ?? problem);
  }
  process.stdout.write = write;
  said[name] = [printed, error];
}
write(JSON.stringify(said));
process.exit(0);
