import { resolveRunner } from "../../dist/catalog/runner-resolution.js";
import { assembleRunners } from "../../dist/catalog/runner-catalogue.js";
import { listRunners } from "../../dist/catalog/runner-list.js";
import { parseConstraint } from "../../dist/schema/version-constraint.js";
import { round, summarise } from "../summary.mjs";

const runtimes = 25;
const servicesPerRuntime = 4;
const versionsPerService = 100;
const rounds = 30;
const limits = { milliseconds: 50 };

/**
 * How long a list and a look-up over a catalogue of 10,000 runner images take, after it is read.
 *
 * @param {{ report: (line: string) => void }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report }) {
  const catalogue = assembleRunners([{ file: createFile(), where: "cuda.yaml" }]);
  const device = { type: "cuda", name: "GPU", index: 0, uuid: "U", memoryBytes: 0, driverVersion: "1" };
  const accelerators = [{ ...device, runtimeVersion: "12.9", computeCapability: "9.0" }];
  const facts = { os: "linux", arch: "x64", accelerators };
  const range = parseConstraint(">=0.3 <0.90");
  const questions = {
    list: () => listRunners(catalogue.images, { deprecated: true }),
    filter: () => listRunners(catalogue.images, { serviceVersion: range, acceleratorType: "cuda" }),
    resolve: () => resolveRunner(catalogue, facts, { service: "servicea", serviceVersion: range }),
  };
  const milliseconds = {};
  for (const [name, ask] of Object.entries(questions)) {
    milliseconds[name] = Array.from({ length: rounds }, () => {
      const begun = performance.now();
      ask();
      return round(performance.now() - begun);
    });
    report(`${name}: ${summarise(milliseconds[name]).median} ms over ${catalogue.images.length} images`);
  }
  const summary = Object.fromEntries(Object.entries(milliseconds).map(([name, all]) => [name, summarise(all)]));
  const failures = Object.entries(summary)
    .filter(([, { median }]) => median > limits.milliseconds)
    .map(([name, { median }]) => `${name}: ${median} ms; expected at most ${limits.milliseconds}`);
  return { images: catalogue.images.length, rounds, summary, limits, failures };
}

function createFile() {
  const services = Array.from({ length: servicesPerRuntime }, (_, index) => `service${"abcdefgh"[index]}`);
  const images = (service) =>
    Array.from({ length: versionsPerService }, (_, index) => ({
      version: `0.${index}.${service.length}${index % 7 === 0 ? ".post1" : ""}`,
      platforms: ["linux/amd64", "linux/arm64"],
      ...{ rc: index % 11 === 0, deprecated: index % 5 === 0, polished: false, listed: true, published: true },
    }));
  return {
    ...{ schemaVersion: 1, acceleratorType: "cuda", name: "NVIDIA CUDA", vendor: "nvidia", device: "GPU" },
    hostRuntime: { comparable: true, source: "the driver" },
    services: Object.fromEntries(services.map((service) => [service, service])),
    versions: Array.from({ length: runtimes }, (_, index) => ({
      version: `${10 + Math.floor(index / 10)}.${index % 10}`,
      computeCapabilities: ["7.5", "8.0+PTX", "9.0"],
      images: Object.fromEntries(services.map((service) => [service, images(service)])),
    })),
  };
}
