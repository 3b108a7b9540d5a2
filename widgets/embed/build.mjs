// Builds dist/: loader.js, panel.js, proof.js and manifest.json, byte for byte the same from the same sources.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build as bundle, transform } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const PLACEHOLDER = '"__FRONTDESK_LOOK__"';
const TARGET = ["chrome111", "firefox110", "safari16.4"];
/** Bytes of gzip that an output may have (docs: goals, row widget). */
const LIMITS = { "loader.js": 4 * 1024, "panel.js": 30 * 1024, "proof.js": 1024 };
const ENTRIES = { "loader.js": "src/loader/loader.ts", "panel.js": "src/panel/panel.ts", "proof.js": "src/proof/proof.ts" };
/** Files outside src/ that decide what the outputs are. */
const INPUTS = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"];

/** Style sheets come in as minified strings. */
const styleText = {
  name: "style-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true, target: TARGET });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

export const OPTIONS = {
  absWorkingDir: HERE,
  bundle: true,
  format: "iife",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  target: TARGET,
  plugins: [styleText],
  define: { __FRONTDESK_LOOK__: PLACEHOLDER },
  write: false,
  logLevel: "warning",
};

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(HERE, join(entry.parentPath ?? entry.path, entry.name)).replaceAll("\\", "/"));
}

/** The outputs as {name: Buffer}, manifest.json among them; writes nothing. Throws when one is too large. */
export async function makeOutputs() {
  const outputs = {};
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const { outputFiles } = await bundle({ ...OPTIONS, entryPoints: [entry] });
    outputs[name] = Buffer.from(outputFiles[0].contents);
  }
  const found = outputs["loader.js"].toString().split(PLACEHOLDER).length - 1;
  if (found !== 1) throw new Error(`loader.js holds the placeholder ${found} times; it must be once`);
  const sources = Object.fromEntries(
    [...INPUTS, ...filesUnder(join(HERE, "src"))].sort().map((path) => [path, sha256(readFileSync(join(HERE, path)))]),
  );
  const described = {};
  for (const [name, bytes] of Object.entries(outputs)) {
    const gzip = gzipSync(bytes, { level: 9 }).length;
    if (gzip > LIMITS[name]) throw new Error(`${name} has ${gzip} bytes of gzip; ${LIMITS[name]} are allowed`);
    described[name] = { sha256: sha256(bytes), bytes: bytes.length };
  }
  outputs["manifest.json"] = Buffer.from(JSON.stringify({ outputs: described, sources }, null, 2) + "\n");
  return outputs;
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const outputs = await makeOutputs();
  mkdirSync(join(HERE, "dist"), { recursive: true });
  for (const [name, bytes] of Object.entries(outputs)) {
    writeFileSync(join(HERE, "dist", name), bytes);
    console.log(`dist/${name}  ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
  }
}
