import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { listClaims } from "../../../src/host/claims.js";
import type { LockEdges } from "../../../src/lock/build.js";
import { currentLock } from "../../../src/lock/current.js";
import type { Project } from "../../../src/lock/project.js";
import { createReserve, reservedLock } from "../../../src/lock/reservation.js";
import type { StackFile } from "../../../src/schema/stack.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { MemoryHost } from "../support/memory-host.js";
import { chat, stackOf } from "../support/problems.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const now = () => new Date("2026-01-01T00:00:00.000Z");
const place = (host: MemoryHost) => ({ host, dataDir: "/srv/local", now: now() });
const oneChat = stackOf({ chat: chat() });

async function projectOf(stack: StackFile): Promise<Project> {
  const root = await temporaryFolder();
  return { root, stackPath: join(root, "dev.yaml"), stack, written: stack, catalogue: catalogueOf() };
}

/** Edges that look at the claims of a host in memory, as the real ones do. */
function edgesOf(host: MemoryHost): LockEdges {
  const knowHost: LockEdges["knowHost"] = async (name, entry) => {
    const claims = await listClaims(place(host));
    return fakeEdges({ claims }).knowHost(name, entry);
  };
  return { ...fakeEdges(), knowHost };
}

function lockFor(owner: string, project: Project, host: MemoryHost) {
  const reserve = createReserve({ openHost: () => host, root: project.root, owner, now });
  return reservedLock(project, edgesOf(host), { owner, frozen: false, write: true }, reserve);
}

const portOf = ({ lock }: Awaited<ReturnType<typeof lockFor>>) => lock.placement.instances["chat-0"]?.port;

describe("a lock whose ports are reserved", () => {
  it("has other ports than one of another stack that was solved at the same moment", async () => {
    const host = new MemoryHost();
    const owners = ["shop/a", "shop/b", "shop/c"];
    const projects = await Promise.all(owners.map(() => projectOf(oneChat)));
    const locks = await Promise.all(projects.map((project, index) => lockFor(owners[index] ?? "", project, host)));
    expect(locks.map(portOf).sort()).toEqual([14_000, 14_001, 14_002]);
    for (const [index, lock] of locks.entries()) {
      const written = await readFile(join(projects[index]?.root ?? "", "dev.lock.yaml"), "utf8");
      expect(written).toContain(`port: ${portOf(lock) ?? ""}\n`);
    }
    const claims = (await listClaims(place(host))).map((claim) => ("port" in claim ? [claim.port, claim.owner] : []));
    expect(claims).toEqual(locks.map((lock, index) => [portOf(lock), owners[index]]).sort());
  });

  it("is solved anew when another stack has a port that it had, and says why", async () => {
    const host = new MemoryHost();
    const project = await projectOf(oneChat);
    await currentLock(project, fakeEdges(), { owner: "shop/a", frozen: false, write: true });
    await lockFor("shop/b", await projectOf(oneChat), host);
    const current = await lockFor("shop/a", project, host);
    expect(portOf(current)).toBe(14_001);
    expect(current.outcome).toMatchObject({
      kind: "solved",
      changed: true,
      reason: "port 14000 of host local belongs to shop/b, chat-0",
    });
  });

  it("is kept, and nothing is written, when its claims are there", async () => {
    const host = new MemoryHost();
    const project = await projectOf(oneChat);
    await lockFor("shop/a", project, host);
    const before = new Map(host.files);
    expect((await lockFor("shop/a", project, host)).outcome).toEqual({ kind: "kept" });
    expect(host.files).toEqual(before);
  });

  it("claims nothing on a host that setup commands have yet to prepare", async () => {
    const host = new MemoryHost();
    const setup = { disk: "mount /srv/local" };
    const hosts = Object.fromEntries(Object.entries(oneChat.hosts).map(([name, host]) => [name, { ...host, setup }]));
    const prepared: StackFile = { ...oneChat, hosts };
    await lockFor("shop/a", await projectOf(prepared), host);
    expect([...host.files.keys()]).toEqual([]);
    host.files.set("/srv/local/berth.json", "{}");
    await lockFor("shop/a", await projectOf(prepared), host);
    expect(await listClaims(place(host))).toEqual([{ port: 14_000, owner: "shop/a", instance: "chat-0" }]);
  });

  it("is refused when the stack asks for a port that another has", async () => {
    const host = new MemoryHost();
    await lockFor("shop/b", await projectOf(oneChat), host);
    const asking = await projectOf(stackOf({ chat: chat({ port: 14_000 }) }));
    const error = await rejectionOf(lockFor("shop/a", asking, host));
    expect(error.code).toBe("already-claimed");
    expect(error.message).toContain("port 14000 of shop/b, chat-0");
  });

  it("claims nothing in a folder that holds other things, and waits for no host that does not answer", async () => {
    const foreign = new MemoryHost();
    foreign.files.set("/srv/local/notes.txt", "mine");
    await lockFor("shop/a", await projectOf(oneChat), foreign);
    expect([...foreign.files.keys()]).toEqual(["/srv/local/notes.txt"]);

    const project = await projectOf(oneChat);
    const reserve = createReserve({
      openHost: () => new MemoryHost(() => Promise.reject(new Error("no route"))),
      ...{ root: project.root, owner: "shop/a", now },
    });
    const options = { owner: "shop/a", frozen: false, write: true };
    expect(portOf(await reservedLock(project, fakeEdges(), options, reserve))).toBe(14_000);
  });
});
