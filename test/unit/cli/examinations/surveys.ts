import { surveyedTools, type FileAccess, type HostSurvey } from "../../../../src/host/survey.js";

export function access(changes: Partial<FileAccess> = {}): FileAccess {
  return { path: "/data", owner: "berth", group: "berth", mode: 0o755, readable: true, writable: true, ...changes };
}

/** A host on which nothing is wrong. */
export function survey(changes: Partial<HostSurvey> = {}): HostSurvey {
  return {
    os: "Linux",
    user: "berth",
    groups: ["berth", "users"],
    tools: new Set(surveyedTools),
    gnu: new Set(["stat", "grep", "wget"]),
    nearest: access(),
    othersFiles: [],
    mountOptions: ["rw", "relatime"],
    devices: [],
    sockets: [],
    pci: [],
    systemd: true,
    lingers: true,
    clockOffsetSeconds: 0,
    ...changes,
  };
}

export function without(...tools: string[]): Set<string> {
  return new Set(surveyedTools.filter((tool) => !tools.includes(tool)));
}
