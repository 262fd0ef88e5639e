import type { HostSurvey } from "../../host/survey.js";
import { formatBytes } from "../../lib/format.js";
import type { Finding } from "./finding.js";

const leastFreeBytes = 2_000_000_000;

export interface FolderSight {
  readonly dataDir: string;
  readonly survey: Pick<HostSurvey, "nearest" | "othersFiles" | "mountOptions" | "user" | "groups">;
  /** Whether it is there, and Berth's. */
  readonly exists: boolean;
  /** Things in it that are not Berth's, where it is not marked as Berth's. */
  readonly foreign: readonly string[];
  readonly freeBytes: number;
}

/** The data directory: whether it can be made, written and run from, whose it is, and how much room it has. */
export function judgeFolder(sight: FolderSight): Finding[] {
  const { dataDir, exists } = sight;
  const problems = [
    ...judgeWritable(sight),
    ...judgeOwners(sight),
    ...judgeMode(sight),
    ...judgeMount(sight),
    ...judgeForeign(sight),
  ];
  const state = exists ? "" : ", which is made when it is needed";
  return [
    { state: "note", subject: "data directory", found: `${dataDir}${state}` },
    ...(problems.length > 0 ? problems : [good(sight)]),
    judgeRoom(sight),
  ];
}

const subject = "ownership";

function good({ exists, survey: { nearest, user } }: FolderSight): Finding {
  const found = exists ? `${nearest.owner}, mode ${octal(nearest.mode)}` : `${user} may make it in ${nearest.path}`;
  return { state: "good", subject, found };
}

function judgeWritable({ dataDir, exists, survey: { nearest, user, groups } }: FolderSight): Finding[] {
  if (nearest.writable) return [];
  const whose = `${nearest.path} belongs to ${nearest.owner}, mode ${octal(nearest.mode)}`;
  const [group = user] = groups;
  const mend = exists
    ? mendOwner(dataDir, nearest.owner, `${user}:${group}`)
    : `sudo install -d -o ${user} -g ${group} -m 0755 ${quoted(dataDir)}`;
  return [{ state: "bad", subject, found: `${user} may not write: ${whose}`, mend }];
}

/** Root makes folders for others. What is another user's, with runners and keys perhaps, nobody takes. */
function mendOwner(dataDir: string, owner: string, wanted: string): string {
  return owner === "root" ? `sudo chown -R ${wanted} ${quoted(dataDir)}` : "give the host a dataDir of its own";
}

/** Root may change what others made; whoever is not root may not change what root made, as by sudo. */
function judgeOwners({ dataDir, survey: { nearest, othersFiles, user, groups } }: FolderSight): Finding[] {
  // A file system's own folder at its top is root's.
  const others = othersFiles.filter((name) => name !== "lost+found");
  if (user === "root" || others.length === 0) return [];
  const [group = user] = groups;
  const found = `another user than ${user} owns ${others.slice(0, 5).join(", ")} in it`;
  const mend = mendOwner(dataDir, nearest.owner === user ? "root" : nearest.owner, `${user}:${group}`);
  return [{ state: "bad", subject, found, mend }];
}

const writableByAll = 0o002;
const sticky = 0o1000;

function judgeMode({ dataDir, exists, survey: { nearest, user } }: FolderSight): Finding[] {
  const { mode, path } = nearest;
  if ((mode & writableByAll) === 0 || (!exists && (mode & sticky) !== 0)) return [];
  const found = `every user of the host may change what ${user} runs: ${path} has mode ${octal(mode)}`;
  return [
    { state: "bad", subject, found, mend: exists ? `chmod o-w ${quoted(dataDir)}` : `chmod o-w ${quoted(path)}` },
  ];
}

function judgeMount({ survey: { mountOptions, nearest } }: FolderSight): Finding[] {
  const hindering = (mountOptions ?? []).filter((option) => option === "noexec" || option === "ro");
  if (hindering.length === 0) return [];
  const found = `its file system is mounted ${hindering.join(", ")}, and engines run from there (${nearest.path})`;
  const mend = "mount it with exec and rw, or give the host another dataDir";
  return [{ state: "bad", subject: "mount", found, mend }];
}

function judgeForeign({ foreign }: FolderSight): Finding[] {
  if (foreign.length === 0) return [];
  const found = `holds things that are not Berth's: ${foreign.slice(0, 5).join(", ")}`;
  return [{ state: "bad", subject: "data directory", found, mend: "give the host a dataDir of its own" }];
}

function judgeRoom({ dataDir, freeBytes }: FolderSight): Finding {
  const found = `${formatBytes(freeBytes)} free for ${dataDir}`;
  if (freeBytes >= leastFreeBytes) return { state: "good", subject: "disk", found };
  const mend = `free at least ${formatBytes(leastFreeBytes)}, or give the host another dataDir`;
  return { state: "bad", subject: "disk", found, mend };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
