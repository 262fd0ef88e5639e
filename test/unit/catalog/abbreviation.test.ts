import { describe, expect, it } from "vitest";

import { refuseAbbreviations } from "../../../src/catalog/abbreviation.js";
import { thrownBy } from "../support/thrown.js";

const backend = {
  flags: {
    host: ["--host"],
    port: ["--port"],
    servedModel: ["--served-model-name"],
    tensorParallelSize: ["-tp"],
    pipelineParallelSize: ["--pipeline-parallel-size", "-pp"],
  },
  ownedFlags: ["--api-key", "--model"],
  contextLengthFlag: "--max-model-len",
};
const refuse = (parameters: string[], knownFlags?: string[]) => {
  refuseAbbreviations(parameters, backend, knownFlags, "deployment chat");
};

describe("refuseAbbreviations", () => {
  it.each([
    ["--por", "--port"],
    ["--api-ke=sk-1", "--api-key"],
    ["--served_model", "--served-model-name"],
    ["--max-model", "--max-model-len"],
    ["--p", "--port"],
  ])("refuses %s, which argparse takes for %s, and tells no value", (parameter, flag) => {
    const error = thrownBy(() => refuse(["--other", parameter, "9000"]));
    expect(error.code).toBe("stack-inconsistent");
    expect(error.parts.expected).toContain(flag);
    expect(error.message).not.toContain("sk-1");
  });

  it("lets flags be that are whole, longer, short, or values", () => {
    refuse(["--port-range", "1", "--models", "-p", "por", "--", "--model", "x"]);
  });

  it("takes a known flag for itself, though another begins like it", () => {
    refuse(["--max", "4"], ["--max"]);
    expect(thrownBy(() => refuse(["--max", "4"], ["--maximum"])).parts.got).toBe("--max");
  });
});
