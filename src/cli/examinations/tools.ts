import type { HostSurvey } from "../../host/survey.js";
import type { HostEntry } from "../../schema/hosts.js";
import type { Finding } from "./finding.js";

/** Debian's packages of the tools that are not coreutils'. */
const packages: Readonly<Record<string, string>> = {
  ...{ find: "findutils", grep: "grep", sed: "sed", ps: "procps", setsid: "util-linux", perl: "perl" },
  ...{ getconf: "libc-bin", netstat: "net-tools" },
};

const forFacts = ["df", "getconf", "id", "printenv", "ps", "readlink", "uname"];
/** What `src/host/ssh-*.ts` and `transfer-script.ts` run on a host. */
const overSsh = [
  ...["cat", "chmod", "cp", "dd", "env", "find", "grep", "head", "ln", "ls", "mkdir", "mktemp", "mv", "rm", "rmdir"],
  ...["sed", "sleep", "stat", "sync", "tail"],
];
const bySystem: Readonly<Record<string, readonly string[]>> = { Darwin: ["perl", "netstat", "tr"], Linux: ["setsid"] };

/** The tools that Berth uses on a host, and what the host downloads by. */
export function judgeTools(
  { os, tools, gnu }: Pick<HostSurvey, "os" | "tools" | "gnu">,
  connection: HostEntry["connection"],
): Finding[] {
  const needed = connection === "local" ? forFacts : [...forFacts, ...overSsh, ...(bySystem[os] ?? [])];
  const lacking = needed.filter((tool) => !tools.has(tool));
  if (!tools.has("sha256sum") && !tools.has("shasum")) lacking.push("sha256sum");
  const others = connection === "ssh" && os === "Linux" ? ["stat", "grep"].filter((tool) => !gnu.has(tool)) : [];
  const wrong = others.filter((tool) => !lacking.includes(tool));
  const found = [
    ...(lacking.length === 0 ? [] : [`missing: ${lacking.join(", ")}`]),
    ...(wrong.length === 0 ? [] : [`not GNU's: ${wrong.join(", ")}`]),
  ].join("; ");
  const mend = `apt-get install ${packagesOf([...lacking, ...wrong]).join(" ")}`;
  const good = { state: "good", subject: "tools", found: "all that Berth uses" } as const;
  return [
    found === "" ? good : { state: "bad", subject: "tools", found, mend },
    ...(connection === "local" ? [] : [judgeDownloads(tools, gnu)]),
  ];
}

function packagesOf(tools: readonly string[]): string[] {
  return [...new Set(tools.map((tool) => packages[tool] ?? "coreutils"))].sort();
}

function judgeDownloads(tools: ReadonlySet<string>, gnu: ReadonlySet<string>): Finding {
  const subject = "downloads";
  const mend = "apt-get install curl";
  if (tools.has("curl")) return { state: "good", subject, found: "curl" };
  if (gnu.has("wget")) return { state: "note", subject, found: "GNU wget; models that need a token need curl", mend };
  return { state: "bad", subject, found: "neither curl nor GNU wget", mend };
}
