/** Which devices the code in an image runs on. */

/** How a GPU gets code: what was made for it, or what its driver translates for it when it starts. */
export type CapabilityMatch = "binary" | "translated" | "none";

/**
 * Whether a GPU of a compute capability can run code that was built for some. Binaries run on the same major and an
 * equal or later minor capability; `+PTX` is translated for any later one (CUDA C++ Programming Guide, "Application
 * Compatibility").
 *
 * @param built such as `8.0+PTX` and `9.0`
 */
export function matchCapability(device: string, built: readonly string[]): CapabilityMatch {
  const [major, minor] = partsOf(device);
  const isBinary = built.some((each) => {
    const [builtMajor, builtMinor] = partsOf(each);
    return builtMajor === major && builtMinor <= minor;
  });
  if (isBinary) return "binary";
  const isTranslated = built.some((each) => {
    const [builtMajor, builtMinor] = partsOf(each);
    return each.endsWith("+PTX") && (builtMajor < major || (builtMajor === major && builtMinor <= minor));
  });
  return isTranslated ? "translated" : "none";
}

function partsOf(capability: string): readonly [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(capability) ?? [];
  return [Number(major), Number(minor)];
}

/** An LLVM target without the features that are told after it: `gfx90a:sramecc+:xnack-` is `gfx90a`. */
export function bareTarget(target: string): string {
  return target.split(":", 1)[0] ?? target;
}
