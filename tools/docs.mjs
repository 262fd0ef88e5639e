// Writes docs/reference from the schemas and the table of error codes; with --check tells whether it is up to date.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { runnerTables } from "../dist/catalog/runner-tables.js";
import { errorCodes } from "../dist/lib/errors.js";
import { readRunners } from "../dist/lock/runner-files.js";
import { jsonSchemas } from "../dist/schema/json-schema.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "docs", "reference");
const titles = {
  stack: "Stack file",
  environments: "Environments file",
  backend: "Backend file",
  runner: "Runner image file",
  "runner-matrix": "Runner build matrix",
  lock: "Lock file",
  plan: "Plan",
  evidence: "Evidence",
  promotion: "Promotion record",
  bundle: "Bundle",
  bench: "Bench report",
};

const pages = {};
for (const [name, schema] of Object.entries(jsonSchemas())) {
  pages[`${name}.schema.json`] = `${JSON.stringify(schema, undefined, 2)}\n`;
  pages[`${name}.md`] = describeDocument(titles[name], name, schema);
}
pages["errors.md"] = describeErrors();
pages["runner-images.md"] = describeImages();

const check = process.argv.includes("--check");
const stale = Object.entries(pages).filter(([file, text]) => read(join(folder, file)) !== text);
if (check && stale.length > 0) {
  console.error(`docs/reference is stale: ${stale.map(([file]) => file).join(", ")}; run node tools/docs.mjs`);
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
for (const [file, text] of stale) writeFileSync(join(folder, file), text);

function describeDocument(title, name, schema) {
  const rows = [];
  collect(schema, "", rows, false);
  const head = `# ${title}\n\n${schema.description}. Generated from the schema; \`berth schema ${name}\` prints it for editors.\n`;
  const table = ["| field | type | default | meaning |", "| --- | --- | --- | --- |"];
  for (const { path, type, value, meaning } of rows) table.push(`| \`${path}\` | ${type} | ${value} | ${meaning} |`);
  return `${head}\n${table.join("\n")}\n`;
}

/** One row for each field, by its path; `NAME` stands for any key, `[]` for any item. */
function collect(schema, path, rows, required) {
  if (path !== "") {
    rows.push({
      path,
      type: typeOf(schema),
      value: defaultOf(schema, required),
      meaning: escape(`${schema.description ?? ""}${owner(schema)}`),
    });
  }
  for (const option of schema.oneOf ?? schema.anyOf ?? []) {
    const kind = option.properties?.source?.const;
    collectChildren(option, kind === undefined ? path : `${path} (${kind})`, rows);
  }
  collectChildren(schema, path, rows);
}

/** What is promoted from one environment to the next is told. */
function owner(schema) {
  const scope = schema["x-berth-scope"];
  if (scope === undefined) return "";
  return scope === "release" ? " _Release._" : " _Environment._";
}

function collectChildren(schema, path, rows) {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    collect(child, path === "" ? key : `${path}.${key}`, rows, (schema.required ?? []).includes(key));
  }
  const { additionalProperties: values, items } = schema;
  if (typeof values === "object" && Object.keys(values).length > 0) collect(values, `${path}.NAME`, rows, false);
  if (items?.type === "object") collect(items, `${path}[]`, rows, false);
}

function typeOf(schema) {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(" or ");
  if (schema.oneOf !== undefined || schema.anyOf !== undefined) {
    return [...new Set((schema.oneOf ?? schema.anyOf).map(typeOf))].join(" or ");
  }
  if (schema.type === "array") return schema.items === undefined ? "list" : `list of ${typeOf(schema.items)}`;
  return { object: "map", integer: "whole number" }[schema.type] ?? schema.type ?? "any";
}

function defaultOf(schema, required) {
  if (schema.default !== undefined) return `\`${escape(JSON.stringify(schema.default))}\``;
  return required ? "required" : "";
}

function describeErrors() {
  const rows = Object.entries(errorCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  const head =
    "# Errors\n\nEvery error that a user can cause or mend carries one of these codes. They stay the same.\n";
  return `${head}\n| code | meaning |\n| --- | --- |\n${rows.join("\n")}\n`;
}

function describeImages() {
  const head =
    "# Runner images\n\nWhat `backends/runners` has, made from its files. ~~Deprecated~~ ones are taken only when their version is asked for, **polished** ones were changed under their tag, and (rc) are made from a release candidate.\n";
  return `${head}\n${runnerTables(readRunners(root, root))}`;
}

function escape(text) {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
