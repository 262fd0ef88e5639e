import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";

import { assertComplete, findGaps } from "../../../src/bundle/load.js";
import { describePackages, findLackingPins, wheelsOf } from "../../../src/bundle/wheel-gaps.js";
import { sha256 } from "../../../src/lib/canonical.js";
import type { NeedyHost, PackagesNeed } from "../../../src/lock/needs.js";
import type { BundledFile } from "../../../src/schema/bundle.js";
import { bundleFolder, makeBundle, needing, removeBundle } from "../../support/bundles.js";
import { serveFiles } from "../../support/file-server.js";
import { thrownBy } from "../support/thrown.js";

const amd64: NeedyHost = { name: "one", platform: "linux/amd64", python: "3.11.2" };
const arm64: NeedyHost = { name: "two", platform: "linux/arm64", python: "3.12.1" };

const requirements = { file: "engine/requirements.txt", sha256: sha256("requirements") };
const wheels = {
  six: "six-1.16.0-py2.py3-none-any.whl",
  torch: "torch-2.5.1-cp311-cp311-manylinux_2_17_x86_64.whl",
  color: "colorama-0.4.6-py3-none-win_amd64.whl",
};
const pins = [
  { name: "six", version: "1.16.0", sha256s: [sha256(wheels.six), sha256("six.tar.gz")] },
  { name: "Torch", version: "2.5.1", sha256s: [sha256(wheels.torch)] },
  { name: "colorama", version: "0.4.6", sha256s: [sha256(wheels.color)] },
];

function packagesFor(...hosts: NeedyHost[]): PackagesNeed {
  return { of: "engine 1", hosts, tool: undefined, requirements, launcher: undefined, pins, indexUrl: undefined };
}

function bundled(wheel: string): BundledFile {
  return { sha256: sha256(wheel), sizeBytes: wheel.length, kind: "wheel", name: wheel, wheel, from: "https://files/" };
}

const six = bundled(wheels.six);
const torch = bundled(wheels.torch);

describe("what a bundle tells of a list of packages", () => {
  it("is, for each kind of host, of which there is no wheel", () => {
    const need = packagesFor(amd64, { ...amd64, name: "like one", python: "3.11.9" }, arm64);
    expect(describePackages(need, [six, torch])).toEqual([
      { requirements: requirements.sha256, platform: "linux/amd64", python: "3.11", withoutWheel: ["colorama==0.4.6"] },
      {
        ...{ requirements: requirements.sha256, platform: "linux/arm64", python: "3.12" },
        withoutWheel: ["Torch==2.5.1", "colorama==0.4.6"],
      },
    ]);
  });

  it("makes any bundle complete for the hosts that it was made for, and one without a wheel not", () => {
    const hosts = fc.subarray([amd64, arm64, { ...arm64, name: "three", python: undefined }], { minLength: 1 });
    fc.assert(
      fc.property(hosts, fc.subarray([six, torch]), (chosen, files) => {
        const need = packagesFor(...chosen);
        const packages = describePackages(need, files);
        expect(findLackingPins(need, { files, packages })).toEqual([]);
        for (const gone of wheelsOf(need, files)) {
          const rest = files.filter((file) => file !== gone && file.sha256 !== gone.sha256);
          expect(findLackingPins(need, { files: rest, packages })).toHaveLength(1);
        }
      }),
    );
  });
});

describe("a bundle is refused", () => {
  const need = packagesFor(amd64);
  const packages = describePackages(need, [six, torch]);

  it("without a wheel that it does not name as lacking", () => {
    const needs = needing({ packages: [need] });
    const gaps = findGaps({ images: [], files: [six], packages }, needs);
    expect(gaps).toEqual(["a wheel of Torch==2.5.1 for engine 1"]);
  });

  it("with a wheel by a name under which pip does not find it", () => {
    const files = [six, { ...torch, wheel: "other-2.5.1-cp311-cp311-manylinux_2_17_x86_64.whl" }];
    expect(findLackingPins(need, { files, packages })).toEqual(["Torch==2.5.1"]);
  });

  it("that was made for hosts of another kind, or from another list", () => {
    const files = [six, torch];
    expect(findLackingPins(packagesFor({ ...amd64, python: "3.12.1" }), { files, packages })).toEqual([
      "Torch==2.5.1",
      "colorama==0.4.6",
    ]);
    const other = { ...need, requirements: { ...requirements, sha256: sha256("other") } };
    expect(findLackingPins(other, { files, packages })).toEqual(["colorama==0.4.6"]);
    expect(findLackingPins(need, { files, packages: [] })).toEqual(["colorama==0.4.6"]);
  });
});

describe("a bundle that is made from an index", () => {
  it("names the packages that the index has no wheel of, and is refused when another one goes", async () => {
    const link = (file: string) => `<a href="/files/${file}#sha256=${sha256(file)}">${file}</a>`;
    const index = await serveFiles({
      "/simple/six/": link(wheels.six) + link("six-1.16.0.tar.gz"),
      "/simple/torch/": link(wheels.torch),
      "/simple/colorama/": link(wheels.color),
      [`/files/${wheels.six}`]: wheels.six,
      [`/files/${wheels.torch}`]: wheels.torch,
    });
    const folder = await bundleFolder();
    onTestFinished(async () => {
      await index.close();
      await removeBundle(folder);
    });
    const needs = { packages: [packagesFor(amd64)] };
    await makeBundle(folder, needs, { defaultIndex: index.url("/simple") });
    const contents = await folder.readContents();
    expect(contents.packages).toMatchObject([{ python: "3.11", withoutWheel: ["colorama==0.4.6"] }]);
    expect(() => assertComplete(folder, contents, needing(needs))).not.toThrow();
    const files = contents.files.filter(({ wheel }) => wheel !== wheels.torch);
    const error = thrownBy(() => assertComplete(folder, { ...contents, files }, needing(needs)));
    expect(error).toMatchObject({ code: "lock-stale", parts: { got: "without a wheel of Torch==2.5.1 for engine 1" } });
  });
});
