import { describe, expect, it } from "vitest";

import { judgeContainerNeeds, type NeedsSight } from "../../../../src/cli/examinations/container-needs.js";
import { readDockerInfo } from "../../../../src/host/docker-info.js";
import type { Accelerator } from "../../../../src/schema/facts.js";

const card = (type: Accelerator["type"]): Accelerator => ({
  ...{ type, name: "card", index: 0, uuid: "GPU-0", memoryBytes: 80e9, driverVersion: "535" },
});
const info = { root: "/var/lib/docker", runtimes: ["runc"], cdiFolders: [] };

function judge(changes: Partial<NeedsSight> = {}, apiVersion = "1.47", accelerators: Accelerator[] = []) {
  const facts = { containerEngine: { engine: "docker" as const, version: "27.5.1", apiVersion }, accelerators };
  return judgeContainerNeeds({ facts, info, freeBytes: 200e9, ...changes });
}

describe("what containers need of a host", () => {
  it("is there: an engine that is new enough, and a disk for images", () => {
    expect(judge()).toEqual([
      { state: "good", subject: "containers", found: "200.0 GB free for images in /var/lib/docker" },
    ]);
  });

  it.each<[string, ReturnType<typeof judge>, string, string]>([
    ["an old engine", judge({}, "1.40"), "Docker's API is 1.40, and containers need 1.41", "Docker 20.10"],
    ["a full disk", judge({ freeBytes: 3e9 }), "3.0 GB free for images", "docker system df"],
    ["NVIDIA's cards without its runtime", judge({}, "1.47", [card("cuda")]), "none of its cards", "nvidia-ctk"],
    ["Moore Threads' without its", judge({}, "1.47", [card("musa")]), "Moore Threads's runtime", "mt-container"],
  ])("is missed, with what mends it: %s", (_, findings, found, mend) => {
    const finding = findings.find(({ state }) => state === "note");
    expect(finding?.found).toContain(found);
    expect(finding?.mend).toContain(mend);
  });

  it("is NVIDIA's runtime where there are its cards, and CDI is told of", () => {
    const known = judge({ info: { ...info, runtimes: ["runc", "nvidia"] } }, "1.47", [card("cuda")]);
    expect(known[0]).toMatchObject({ state: "good", found: "Docker knows NVIDIA's runtime" });
    const [cdi] = judge({ info: { ...info, cdiFolders: ["/etc/cdi"] } }, "1.47", [card("cuda")]);
    expect(cdi?.found).toContain("CDI is on (/etc/cdi)");
  });

  it("is nothing where no Docker answers", () => {
    expect(judge({ facts: { accelerators: [card("cuda")] } })).toEqual([]);
    expect(judge({ info: undefined, freeBytes: undefined })).toEqual([]);
  });
});

describe("what docker info tells", () => {
  it("is where its images are, and which runtimes and devices it knows", () => {
    const text = '{"DockerRootDir":"/srv/docker","Runtimes":{"nvidia":{},"runc":{}},"CDISpecDirs":["/etc/cdi"]}';
    expect(readDockerInfo(text)).toEqual({
      root: "/srv/docker",
      runtimes: ["nvidia", "runc"],
      cdiFolders: ["/etc/cdi"],
    });
    expect(readDockerInfo('{"DockerRootDir":"/d","CDISpecDirs":null}')).toEqual({
      root: "/d",
      runtimes: [],
      cdiFolders: [],
    });
  });

  it.each(["", "{}", "no JSON"])("is nothing in %j", (text) => {
    expect(readDockerInfo(text)).toBeUndefined();
  });
});
