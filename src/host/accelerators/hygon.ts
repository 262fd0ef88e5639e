import { nothingFound, type Detector } from "./detector.js";
import { readRocmSmi, rocmSmiOptions } from "./rocm-smi.js";

/** Hygon's DCUs, by `hy-smi`, else by the `rocm-smi` of DTK. */
export const hygon: Detector = {
  vendor: "hygon",

  ask(answers) {
    const first = {
      hySmi: { argv: ["hy-smi", ...rocmSmiOptions, "--json"] as const },
      rocmSmi: { argv: ["rocm-smi", ...rocmSmiOptions, "--json"] as const, optional: true as const },
    };
    if (answers.hySmi === undefined) return first;
    return {
      ...first,
      driver: { argv: ["hy-smi", "--showdriverversion"], optional: true },
      buses: { argv: ["hy-smi", "--showbus", "--json"], optional: true },
    };
  },

  read({ hySmi, rocmSmi, driver = "", buses }) {
    const driverVersion = /Driver version\s*:\s*(\S+)/i.exec(driver)?.[1];
    if (hySmi !== undefined) return readRocmSmi(hySmi, "hygon", { driverVersion, runtimeVersion: undefined, buses });
    if (rocmSmi === undefined) return nothingFound;
    // Whether this is AMD's tool or Hygon's is told by the cards; AMD's detector warns of what is not understood.
    return { ...readRocmSmi(rocmSmi, "hygon", { driverVersion, runtimeVersion: undefined }), warnings: [] };
  },
};
