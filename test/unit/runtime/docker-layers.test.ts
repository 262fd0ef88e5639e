import fc from "fast-check";
import { expect, it } from "vitest";

import { PulledLayers, type PullEvent } from "../../../src/runtime/docker-layers.js";

function progressOf(events: readonly PullEvent[]) {
  const layers = new PulledLayers();
  for (const event of events) layers.take(event);
  return layers.progress;
}

it("counts layers and bytes as they come, and those that are there as done", () => {
  const layers = new PulledLayers();
  const steps: [PullEvent, number[]][] = [
    [{ status: "Pulling from team/engine", id: "sha256:1" }, [0, 0, 0, 0]],
    [{ status: "Already exists", id: "a" }, [1, 1, 0, 0]],
    [{ status: "Pulling fs layer", id: "b" }, [2, 1, 0, 0]],
    [{ status: "Waiting", id: "c" }, [3, 1, 0, 0]],
    [{ status: "Downloading", id: "b", progressDetail: { current: 10, total: 100 } }, [3, 1, 10, 100]],
    [{ status: "Retrying in 5 seconds", id: "b" }, [3, 1, 0, 100]],
    [{ status: "Downloading", id: "b", progressDetail: { current: 60, total: 100 } }, [3, 1, 60, 100]],
    [{ status: "Downloading", id: "c", progressDetail: { current: 7 } }, [3, 1, 67, 107]],
    [{ status: "Verifying Checksum", id: "b" }, [3, 1, 107, 107]],
    [{ status: "Extracting", id: "b", progressDetail: { current: 5, total: 900 } }, [3, 1, 107, 107]],
    [{ status: "Pull complete", id: "b" }, [3, 2, 107, 107]],
    [{ status: "Pull complete", id: "c" }, [3, 3, 107, 107]],
    [{ status: "Digest: sha256:1" }, [3, 3, 107, 107]],
  ];
  for (const [event, [all, done, bytes, total]] of steps) {
    layers.take(event);
    expect(layers.progress).toEqual({ layers: all, doneLayers: done, bytes, totalBytes: total });
  }
});

it("never has more done than there is, whatever comes", () => {
  const statuses = ["Pulling fs layer", "Downloading", "Download complete", "Extracting", "Pull complete", "else"];
  const event = fc.record({
    id: fc.constantFrom("a", "b", "c"),
    status: fc.constantFrom(...statuses),
    progressDetail: fc.record({ current: fc.nat(), total: fc.nat() }, { requiredKeys: [] }),
  });
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const { layers, doneLayers, bytes, totalBytes } = progressOf(events);
      expect(doneLayers).toBeLessThanOrEqual(layers);
      expect(bytes).toBeLessThanOrEqual(totalBytes);
    }),
  );
});
