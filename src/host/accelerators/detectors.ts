import { amd } from "./amd.js";
import { apple } from "./apple.js";
import { ascend } from "./ascend.js";
import { cambricon } from "./cambricon.js";
import type { Detector } from "./detector.js";
import { hygon } from "./hygon.js";
import { iluvatar } from "./iluvatar.js";
import { metax } from "./metax.js";
import { mthreads } from "./mthreads.js";
import { nvidia } from "./nvidia.js";
import { thead } from "./thead.js";

/** Every vendor that Berth looks for, in the order in which a host's accelerators are listed. */
export const detectors: readonly Detector[] = [
  nvidia,
  amd,
  ascend,
  hygon,
  mthreads,
  metax,
  iluvatar,
  cambricon,
  thead,
  apple,
];
