import { lookUp } from "../lib/record.js";
import type { RunnerFile } from "../schema/runner.js";
import type { RunnerCatalogue } from "./runner-catalogue.js";

/** The catalogue for people, as Markdown: a table for each accelerator type, its services and their versions. */
export function runnerTables({ files }: Pick<RunnerCatalogue, "files">): string {
  const parts = Object.values(files).map((file) => {
    const { name, acceleratorType, services } = file;
    const head = ["version", ...(file.variants === undefined ? [] : ["variant"]), ...Object.values(services)];
    const rows = file.versions.map((version) => row(file, version));
    return [
      `## ${name} (\`${acceleratorType}\`)`,
      `Hosts' runtime: ${file.hostRuntime.source}.`,
      [line(head), line(head.map(() => "---")), ...rows].join("\n"),
      ...codeOf(file),
    ].join("\n\n");
  });
  return `${parts.join("\n\n")}\n`;
}

function row(
  { variants, services }: RunnerFile,
  { version, variant = "", images }: RunnerFile["versions"][number],
): string {
  const cells = Object.keys(services).map((service) =>
    (lookUp(images, service) ?? [])
      .filter(({ published }) => published)
      .map(({ version: of, deprecated, polished, rc }) => {
        const text = deprecated ? `~~${of}~~` : polished ? `**${of}**` : of;
        return rc ? `${text} (rc)` : text;
      })
      .join(", "),
  );
  return line([version, ...(variants === undefined ? [] : [lookUp(variants, variant)?.label ?? variant]), ...cells]);
}

/** For which devices there is code. */
function codeOf({ versions }: RunnerFile): string[] {
  const told = versions.flatMap(({ version, computeCapabilities, llvmTargets }) => {
    const code = computeCapabilities ?? llvmTargets;
    return code === undefined ? [] : [`- ${version}: ${code.join(" ")}`];
  });
  return told.length === 0 ? [] : ["Code for:", told.join("\n")];
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
