import { describe, expect, it } from "vitest";

import { dockerfileSkeleton, matrixSkeleton } from "../../../src/catalog/dockerfile-skeleton.js";
import { parseYaml } from "../../../src/schema/document.js";
import { runnerMatrix } from "../../../src/schema/runner-matrix.js";

const subject = {
  ...{ acceleratorType: "cann", name: "Ascend CANN", runtimeVersion: "8.5.0", variant: "a3" },
  services: { vllm: "vLLM", mindie: "MindIE" },
  versions: { vllm: "0.16.0" },
};

describe("a matrix to begin with", () => {
  it("is a matrix, of arguments that the Dockerfile beside it has", () => {
    const { rules } = parseYaml(matrixSkeleton(subject), "matrix.yaml", runnerMatrix);
    const args = { CANN_VERSION: "8.5.0", CANN_ARCHS: "a3", VLLM_VERSION: "0.16.0", MINDIE_VERSION: "0.0.0" };
    expect(rules).toEqual([{ services: ["vllm", "mindie"], platforms: ["linux/amd64", "linux/arm64"], args }]);
    for (const name of Object.keys(args)) expect(dockerfileSkeleton(subject)).toContain(`ARG ${name}=`);
  });
});

describe("a matrix", () => {
  const refusal = (rule: string) => {
    try {
      parseYaml(`schemaVersion: 1\nrules:\n  - ${rule}\n`, "matrix.yaml", runnerMatrix);
      return "";
    } catch (error) {
      return String(error);
    }
  };

  it.each([
    [
      '{ services: [vllm], args: { MUSA_VERSION: "" } }',
      'matrix.yaml:3:47: "rules.0.args.MUSA_VERSION": expected a value',
    ],
    ["{ services: [vllm], args: { CUDA_VERSION: 12.10 } }", "matrix.yaml:3:47"],
    ["{ services: [] }", "matrix.yaml:3:17"],
    ["{ services: [vllm], backend: cuda }", "matrix.yaml:3:25"],
    ["{ services: [vllm], platforms: [linux/s390x] }", "matrix.yaml:3:37"],
    ["{ services: [vllm], dockerfile: ../Dockerfile }", "matrix.yaml:3:37"],
  ])("is refused with %s", (rule, where) => {
    expect(refusal(rule)).toContain(where);
  });
});
