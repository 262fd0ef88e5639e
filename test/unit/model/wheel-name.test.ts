import { describe, expect, it } from "vitest";

import { mayTakeWheel, parseWheelName } from "../../../src/model/wheel-name.js";

const host = { platform: "linux/amd64", python: "3.11.2" } as const;
const takes = (file: string, on: Parameters<typeof mayTakeWheel>[1] = host) => {
  const wheel = parseWheelName(file);
  return wheel !== undefined && mayTakeWheel(wheel, on);
};

describe("a wheel", () => {
  it.each([
    "six-1.17.0-py2.py3-none-any.whl",
    "torch-2.8.0+cu128-cp311-cp311-manylinux_2_28_x86_64.whl",
    "numpy-2.0.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "cryptography-45.0.0-cp37-abi3-manylinux_2_28_x86_64.whl",
    "ninja-1.11.1-py3-none-manylinux_2_12_x86_64.whl",
    "old-1.0-1-cp39-none-linux_x86_64.whl",
  ])("is taken by a host that may run it: %s", (file) => {
    expect(takes(file)).toBe(true);
  });

  it.each([
    "torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    "torch-2.8.0-cp311-cp311-manylinux_2_28_aarch64.whl",
    "torch-2.8.0-cp310-cp310-manylinux_2_28_x86_64.whl",
    "numpy-2.0.0-cp311-cp311-musllinux_1_2_x86_64.whl",
    "numpy-2.0.0-cp311-cp311-win_amd64.whl",
    "numpy-2.0.0-cp311-cp311-macosx_14_0_arm64.whl",
    "numpy-2.0.0-pp311-pypy311_pp73-manylinux_2_17_x86_64.whl",
    "abi-1.0-cp312-abi3-manylinux_2_28_x86_64.whl",
    "two-1.0-py2-none-any.whl",
  ])("is left to others: %s", (file) => {
    expect(takes(file)).toBe(false);
  });

  it("for any Python is taken where the host's is not known", () => {
    expect(takes("torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl", { platform: "linux/amd64" })).toBe(true);
  });

  it.each(["six-1.17.0.tar.gz", "six.whl", "../six-1.17.0-py3-none-any.whl", "a/six-1.17.0-py3-none-any.whl", ""])(
    "is not what is called %j",
    (file) => {
      expect(parseWheelName(file)).toBeUndefined();
    },
  );
});
