// node actions.mjs PACKAGES FILE...: what GitHub's own parser of actions and workflows finds in them, as a list of JSON.
import { readFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const [packages, ...files] = process.argv.slice(2);
// The packages import JSON as bundlers do, without the attribute that node asks for.
registerHooks({
  load: (url, context, next) =>
    url.endsWith(".json")
      ? { format: "module", shortCircuit: true, source: `export default ${readFileSync(new URL(url), "utf8")}` }
      : next(url, context),
});
const require = createRequire(pathToFileURL(`${packages}/`));
const bring = (name) => import(pathToFileURL(require.resolve(name)));
const { validate } = await import(pathToFileURL(`${packages}/node_modules/@actions/languageservice/dist/index.js`));
const { TextDocument } = await bring("vscode-languageserver-textdocument");

const found = [];
for (const file of files) {
  const document = TextDocument.create(String(pathToFileURL(file)), "yaml", 1, readFileSync(file, "utf8"));
  for (const { range, severity, message } of await validate(document, {})) {
    found.push({ file, line: range.start.line + 1, severity: severity ?? 1, message });
  }
}
process.stdout.write(JSON.stringify(found));
