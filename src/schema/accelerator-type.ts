import { z } from "zod";

/**
 * Types whose devices Berth's own code finds and gives to runners, and `cpu`, which has none. Others have a file in
 * `backends/runners` that says how.
 */
export const nativeTypes = [
  "cuda",
  "rocm",
  "cann",
  "musa",
  "dtk",
  "corex",
  "maca",
  "hggc",
  "neuware",
  "metal",
  "cpu",
] as const;

/** Letters alone, since a version follows it in an image's tag without anything between. */
export const word = z
  .string()
  .regex(/^[a-z]{1,30}$/, { error: "expected small letters alone, because its version follows it in tags" });

/** Which types there are beside {@link nativeTypes}, the files of `backends/runners` tell alone. */
export const acceleratorType = z
  .string()
  .regex(/^[a-z]{1,30}$/, { error: "expected an accelerator type, such as cuda or cpu" });
