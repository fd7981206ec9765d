// Says which of some programs Node cannot read: node javascript_check.mjs FOLDER NAME...
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import vm from "node:vm";

const [folder, ...names] = process.argv.slice(2);
for (const name of names) {
  let text = readFileSync(`${folder}/${name}`, "utf8");
  try {
    if (name.endsWith(".ts")) text = stripTypeScriptTypes(text);
    // only modules know import and await at the top; nothing is run
    text = text.replace(/^ *(import|export) .*?from .*$/gm, "").replace(/^export (\{.*)?/gm, "");
    new vm.Script(`async () => {\n${text}\n}`);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
