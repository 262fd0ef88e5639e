import { describe, expect, it } from "vitest";

import { nvidia } from "../../../src/host/accelerators/nvidia.js";
import { containerDevices } from "../../../src/planner/container-devices.js";
import { findMoved } from "../../../src/planner/moved-devices.js";
import { containerBody } from "../../../src/runtime/container-body.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { nvidiaSmiXml } from "../../support/nvidia-smi.js";
import { seen } from "../support/accelerator-fixtures.js";
import { settingsOf, specOf } from "../support/container-specs.js";

const where = "deployment chat";

function bodyOf(ids: string[], accelerators: readonly Accelerator[]) {
  const devices = containerDevices(ids, { accelerators: [...accelerators] }, where);
  return containerBody(specOf({ settings: settingsOf({ devices }) }));
}

describe("devices whose numbers changed over a reboot", () => {
  it("are the same by UUID in the container's body and environment: NVIDIA's", () => {
    const uuids = ["GPU-aaaa", "GPU-bbbb", "GPU-cccc"];
    const look = (order: readonly string[]): Accelerator[] =>
      nvidia
        .read({ all: nvidiaSmiXml(order.map((uuid) => ({ uuid, usedMib: 0 }))) }, { ramBytes: 0 })
        .accelerators.slice();
    const before = look(uuids);
    const after = look([...uuids].reverse());
    expect(after.map(({ index, uuid }) => [index, uuid])).not.toEqual(before.map(({ index, uuid }) => [index, uuid]));
    const body = bodyOf(["GPU-cccc", "GPU-aaaa"], before);
    expect(bodyOf(["GPU-cccc", "GPU-aaaa"], after)).toEqual(body);
    expect(body.HostConfig.DeviceRequests.flatMap(({ DeviceIDs }) => DeviceIDs)).toEqual(["GPU-cccc", "GPU-aaaa"]);
    expect(body.Env).toContain("NVIDIA_VISIBLE_DEVICES=GPU-cccc,GPU-aaaa");
    expect(findMoved(containerDevices(["GPU-aaaa"], { accelerators: before }, where), after)).toEqual([]);
  });

  it("are told, with both numbers, where a container has them by number", () => {
    const { accelerators } = seen("huawei/synthetic-910b");
    const ids = accelerators.map(({ uuid }) => uuid);
    const devices = containerDevices(ids, { accelerators: [...accelerators] }, where);
    expect(findMoved(devices, accelerators)).toEqual([]);
    const moved = accelerators.map((card) => ({ ...card, index: card.index + 1 }));
    const [first] = accelerators;
    expect(findMoved(devices, moved)[0]).toBe(`${first?.uuid ?? ""} has the number 1, and had 0`);
  });

  it("are told where a container has them by files that belong to another now", () => {
    const file = (number: number) => [{ path: `/dev/dri/renderD${number}`, groupId: 992 }];
    const [card] = seen("amd/synthetic-rocm62-mi300x").accelerators;
    if (card === undefined) throw new Error("the fixture has cards");
    const before = { ...card, deviceFiles: file(128) };
    const devices = containerDevices([card.uuid], { accelerators: [before] }, where);
    expect(findMoved(devices, [before])).toEqual([]);
    expect(findMoved(devices, [{ ...card, deviceFiles: file(129) }])).toEqual([
      `${card.uuid} has /dev/dri/renderD129, and had another file`,
    ]);
  });
});
