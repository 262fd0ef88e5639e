import { describe, expect, it } from "vitest";

import { judgeFolder, type FolderSight } from "../../../../src/cli/examinations/folder.js";
import { access, survey } from "./surveys.js";

const sight = (changes: Partial<FolderSight> = {}): FolderSight => ({
  ...{ dataDir: "/data", survey: survey(), exists: true, foreign: [], freeBytes: 1e12, ...changes },
});
const made = (nearest: Partial<ReturnType<typeof access>>, others: Partial<ReturnType<typeof survey>> = {}) =>
  sight({ survey: survey({ nearest: access(nearest), ...others }) });
const bad = (of: FolderSight) => judgeFolder(of).filter(({ state }) => state === "bad");

describe("judgeFolder", () => {
  it("is content with a folder that is the user's, and with one that the user may make", () => {
    expect(judgeFolder(sight())).toEqual([
      { state: "note", subject: "data directory", found: "/data" },
      { state: "good", subject: "ownership", found: "berth, mode 0755" },
      { state: "good", subject: "disk", found: "1.0 TB free for /data" },
    ]);
    const home = sight({ exists: false, survey: survey({ nearest: access({ path: "/home/berth" }) }) });
    expect(judgeFolder(home)[1]).toEqual({
      state: "good",
      subject: "ownership",
      found: "berth may make it in /home/berth",
    });
  });

  it.each<[string, FolderSight, string, string]>([
    [
      "a folder of somebody else",
      made({ owner: "root", writable: false }),
      "berth may not write: /data belongs to root, mode 0755",
      "sudo chown -R berth:berth /data",
    ],
    [
      "another person's folder",
      made({ owner: "alice", writable: false }),
      "berth may not write: /data belongs to alice, mode 0755",
      "give the host a dataDir of its own",
    ],
    [
      "a folder that cannot be made",
      { ...made({ path: "/srv", owner: "root", writable: false }), dataDir: "/srv/a b", exists: false },
      "berth may not write: /srv belongs to root, mode 0755",
      "sudo install -d -o berth -g berth -m 0755 '/srv/a b'",
    ],
    [
      "what sudo has left",
      made({}, { othersFiles: ["backends", "journal"] }),
      "another user than berth owns backends, journal in it",
      "sudo chown -R berth:berth /data",
    ],
    [
      "a folder that everybody may write to",
      made({ mode: 0o777 }),
      "every user of the host may change what berth runs: /data has mode 0777",
      "chmod o-w /data",
    ],
    [
      "a file system without programs",
      made({}, { mountOptions: ["rw", "noexec", "nosuid"] }),
      "its file system is mounted noexec, and engines run from there (/data)",
      "mount it with exec and rw, or give the host another dataDir",
    ],
    [
      "things of others",
      sight({ foreign: ["photos"] }),
      "holds things that are not Berth's: photos",
      "give the host a dataDir of its own",
    ],
    [
      "a full disk",
      sight({ freeBytes: 1e9 }),
      "1.0 GB free for /data",
      "free at least 2.0 GB, or give the host another dataDir",
    ],
  ])("tells of %s what mends it", (_, of, found, mend) => {
    expect(bad(of)).toMatchObject([{ found, mend }]);
  });

  it("takes a file system's own folder for nobody's", () => {
    expect(bad(made({}, { othersFiles: ["lost+found"] }))).toEqual([]);
  });

  it("lets root change what others own, and others make folders where all may, as in /tmp", () => {
    expect(bad(made({ owner: "berth" }, { user: "root", othersFiles: ["backends"] }))).toEqual([]);
    expect(bad({ ...made({ path: "/tmp", owner: "root", mode: 0o1777 }), exists: false })).toEqual([]);
  });
});
