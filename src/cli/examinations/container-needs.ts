import type { DockerInfo } from "../../host/docker-info.js";
import { formatBytes } from "../../lib/format.js";
import type { HostFacts } from "../../schema/facts.js";
import type { Finding } from "./finding.js";

export interface NeedsSight {
  readonly facts: Pick<HostFacts, "containerEngine" | "accelerators">;
  /** Undefined where the engine does not tell. */
  readonly info: DockerInfo | undefined;
  /** Of the file system that has the engine's images. */
  readonly freeBytes: number | undefined;
}

/** Of Docker 20.10: older engines do not know all that a container is made of. */
const leastApi = 41;
/** An image of an engine with the libraries of its accelerators takes so much. */
const imageBytes = 20e9;
const subject = "containers";

/** Vendors whose cards containers are given by a runtime of the vendor's, and what installs it. */
const runtimes = [
  {
    type: "cuda",
    runtime: "nvidia",
    vendor: "NVIDIA",
    mend: "install nvidia-container-toolkit, `sudo nvidia-ctk runtime configure --runtime=docker`, and restart Docker",
  },
  {
    type: "musa",
    runtime: "mthreads",
    vendor: "Moore Threads",
    mend: "install mt-container-toolkit, and make its runtime known to Docker",
  },
] as const;

/** Whether Docker can run engines in containers here. Nothing where there is no Docker: processes need none. */
export function judgeContainerNeeds({ facts, info, freeBytes }: NeedsSight): Finding[] {
  const { containerEngine: engine, accelerators } = facts;
  if (engine?.engine !== "docker") return [];
  return [
    ...judgeApi(engine.apiVersion),
    ...judgeRuntimes(accelerators, info),
    ...(info === undefined || freeBytes === undefined ? [] : [judgeDisk(info.root, freeBytes)]),
  ];
}

function judgeApi(version = ""): Finding[] {
  const [, minor] = /^1\.(\d+)$/.exec(version) ?? [];
  if (minor === undefined || Number(minor) >= leastApi) return [];
  const found = `Docker's API is ${version}, and containers need 1.${leastApi}`;
  return [{ state: "note", subject, found, mend: "install Docker 20.10 or later" }];
}

function judgeRuntimes(accelerators: HostFacts["accelerators"], info: DockerInfo | undefined): Finding[] {
  if (info === undefined) return [];
  return runtimes.flatMap(({ type, runtime, vendor, mend }): Finding[] => {
    if (!accelerators.some((each) => each.type === type)) return [];
    if (info.runtimes.includes(runtime)) return [{ state: "good", subject, found: `Docker knows ${vendor}'s runtime` }];
    const cdi = info.cdiFolders.length === 0 ? "" : `; CDI is on (${info.cdiFolders.join(", ")})`;
    const found = `Docker does not know ${vendor}'s runtime, so containers get none of its cards${cdi}`;
    return [{ state: "note", subject, found, mend }];
  });
}

function judgeDisk(root: string, freeBytes: number): Finding {
  const found = `${formatBytes(freeBytes)} free for images in ${root}`;
  if (freeBytes >= imageBytes) return { state: "good", subject, found };
  const mend = "images of engines take 5 to 20 GB: `docker system df` tells what takes the space";
  return { state: "note", subject, found, mend };
}
