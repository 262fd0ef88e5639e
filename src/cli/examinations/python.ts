import type { HostFacts } from "../../schema/facts.js";
import type { Finding } from "./finding.js";

export function judgePython({ os, python, pipx }: Pick<HostFacts, "os" | "python" | "pipx">): Finding[] {
  if (python === undefined) {
    const mend = os === "darwin" ? "brew install python" : "apt-get install python3 python3-venv";
    return [{ state: "bad", subject: "Python", found: "no Python 3.10 or later with venv on PATH", mend }];
  }
  return [
    { state: "good", subject: "Python", found: `${python.version} (${python.path})` },
    pipx === undefined
      ? { state: "note", subject: "pipx", found: "none; Berth installs one for itself, below the data directory" }
      : { state: "good", subject: "pipx", found: `${pipx.version} (${pipx.path})` },
  ];
}
