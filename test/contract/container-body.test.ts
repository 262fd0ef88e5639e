import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { containerBody } from "../../src/runtime/container-body.js";
import { differences } from "../../src/runtime/container-difference.js";
import { CreatedContainers, whyNoEngine } from "../support/created-containers.js";
import { goldenSpecs, specOf } from "../unit/support/container-specs.js";

const reason = await whyNoEngine();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

describe.skipIf(isLeftOut)(`containers of a real Docker Engine${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  let containers: CreatedContainers;
  beforeAll(async () => {
    containers = await CreatedContainers.start();
  });
  afterAll(() => containers.dispose());

  it.each(Object.keys(goldenSpecs).filter((name) => name !== "musa"))("are as they were written: %s", async (name) => {
    const body = containers.here(containerBody(goldenSpecs[name] ?? specOf()));
    const { status, message, id } = await containers.create(body);
    expect({ status, message }).toEqual({ status: 201, message: "" });
    expect(differences(body, await containers.inspect(id))).toEqual([]);
  });

  it("are not made without the runtime of a vendor whose devices need it", async () => {
    const { status, message } = await containers.create(containers.here(containerBody(goldenSpecs.musa ?? specOf())));
    expect(status).toBe(400);
    expect(message).toContain("mthreads");
  });

  it("are not made of a folder that is not there", async () => {
    const body = containerBody(specOf());
    const mounts = body.HostConfig.Mounts.map((mount) => ({ ...mount, Source: "/no/such/folder" }));
    const { status, message } = await containers.create({
      ...containers.here(body),
      HostConfig: { ...body.HostConfig, Mounts: mounts },
    });
    expect(status).toBe(400);
    expect(message).toContain("/no/such/folder");
  });

  it("are told apart from what they were when somebody has updated them by hand", async () => {
    const body = containers.here(containerBody(specOf()));
    const { id } = await containers.create(body);
    await containers.update(id, { RestartPolicy: { Name: "no" } });
    expect(differences(body, await containers.inspect(id))).toEqual(["restart policy"]);
    await containers.update(id, { NanoCpus: 500_000_000, Memory: 2 ** 28, MemorySwap: 2 ** 28 });
    expect(differences(body, await containers.inspect(id))).toEqual([
      "restart policy",
      "processor limit",
      "memory limit",
    ]);
  });
});
