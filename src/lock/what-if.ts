import { changeHosts, type WhatIf } from "../planner/what-if.js";
import type { LockEdges } from "./build.js";
import type { Project } from "./project.js";

/** What a lock is solved from and by, as it would be with other hosts. New ones are known by those that they are like. */
export function supposeHosts(
  { project, edges }: { readonly project: Project; readonly edges: LockEdges },
  whatIf: WhatIf,
): { project: Project; edges: LockEdges } {
  const stack = changeHosts(project.stack, whatIf);
  const { added, drained, removed } = whatIf;
  const supposed = { added: [...added], drained: [...drained], removed: [...removed] };
  return {
    // The lock that comes of it is none of the file's.
    project: { ...project, stack, written: { stack: project.written, supposed } },
    edges: {
      ...edges,
      async knowHost(name, entry) {
        const like = added.find((each) => each.name === name)?.like;
        const known = like === undefined ? undefined : project.stack.hosts[like];
        if (like === undefined || known === undefined) return edges.knowHost(name, entry);
        const { facts, dataDir } = await edges.knowHost(like, known);
        return { facts, dataDir, usage: { listeningPorts: [] } };
      },
    },
  };
}
