// Fails when dist/ is not what the sources build to.
import { existsSync, readFileSync } from "node:fs";
import { makeOutputs } from "./build.mjs";

const stale = [];
for (const [name, bytes] of Object.entries(await makeOutputs())) {
  const path = new URL(`./dist/${name}`, import.meta.url);
  if (!existsSync(path) || !readFileSync(path).equals(bytes)) stale.push(`dist/${name}`);
}
if (stale.length) {
  console.error(`out of step with the source: ${stale.join(", ")}; run \`npm run build\` in widgets/embed and commit dist/`);
  process.exit(1);
}
console.log("dist/ is in step with the source");
