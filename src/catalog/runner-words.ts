/** Which words the names of runner images can be made of, so that each name is read one way alone. Pure. */
import { word } from "../schema/accelerator-type.js";
import { runnerVariant } from "../schema/runner.js";
import type { RunnerVocabulary } from "./runner-name.js";

/** Types that there are never images for: what runs without a container's devices. */
const withoutImages: readonly string[] = ["cpu", "metal"];

/** Why names of such words could be read in two ways, or not at all; undefined when they cannot. */
export function findAmbiguity({ accelerators, services }: RunnerVocabulary): string | undefined {
  const reserved = Object.keys(accelerators).find((type) => withoutImages.includes(type));
  if (reserved !== undefined) return `${reserved} is an accelerator type without images`;
  const malformed = [...Object.keys(accelerators), ...services].find((each) => !word.safeParse(each).success);
  if (malformed !== undefined) return `${malformed} is not of small letters alone, which a version can follow`;
  for (const [type, variants] of Object.entries(accelerators)) {
    for (const variant of variants) {
      if (!runnerVariant.safeParse(variant).success) return `${variant} is not of small letters and digits`;
      // The part after the type is the service where it begins with one.
      const service = services.find((each) => variant.startsWith(each));
      if (service !== undefined)
        return `the variant ${variant} of ${type} begins as the service ${service} does, so names of its images would be read as of that`;
    }
  }
  return undefined;
}
