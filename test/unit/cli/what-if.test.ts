import { describe, expect, it } from "vitest";

import { readWhatIf } from "../../../src/cli/what-if.js";
import { thrownBy } from "../support/thrown.js";

describe("readWhatIf", () => {
  it("reads new hosts with what they are like, and says which words are none", () => {
    expect(readWhatIf({ with: ["gpu-07=gpu-01"] }).added).toEqual([{ name: "gpu-07", like: "gpu-01" }]);
    for (const word of ["gpu-07", "=gpu-01", "gpu-07=", "a=b=c"])
      expect(thrownBy(() => readWhatIf({ with: [word] }))).toMatchObject({ code: "usage", parts: { got: word } });
  });
});
