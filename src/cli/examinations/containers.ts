import type { HostSurvey } from "../../host/survey.js";
import type { HostFacts } from "../../schema/facts.js";
import type { Finding } from "./finding.js";

export interface ContainersSight {
  readonly engine: HostFacts["containerEngine"];
  readonly warnings: readonly string[];
  readonly survey: Pick<HostSurvey, "sockets" | "user">;
}

const subject = "container engine";

/** A container engine and whether this user may talk to it. A host needs none. */
export function judgeContainers({ engine, warnings, survey: { sockets, user } }: ContainersSight): Finding[] {
  if (engine !== undefined && engine.problem === undefined)
    return [{ state: "good", subject, found: `${engine.engine} ${engine.version}` }];
  const closed = sockets.find(({ writable }) => !writable);
  if (closed !== undefined) {
    const { path, owner, group } = closed;
    const found = `${user} may not use ${path}, which is ${owner}'s and the group ${group}'s`;
    // A group that is root's own is nobody's to join.
    const mend =
      group === "root"
        ? "set `ssh: { sudo: nonInteractive }` for the host"
        : `sudo usermod -aG ${group} ${user}; the next login has it, and whoever is in that group is as good as root`;
    return [{ state: "note", subject, found, mend }];
  }
  if (warnings.length > 0) return warnings.map((found) => ({ state: "note", subject, found }));
  return [{ state: "note", subject, found: "none" }];
}
