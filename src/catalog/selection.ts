import {
  installMethods,
  type BackendVersionEntry,
  type BinaryArtifact,
  type ImageInstall,
  type InstallMethod,
  type ManualInstall,
  type PipxInstall,
} from "../schema/backend.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";
import type { RunnerImageInstall } from "../schema/runner-image.js";
import type { ChosenRunnerImage, RunnerImageAnswer } from "./runner-install.js";

export type ModelFormat = "gguf" | "safetensors" | "other";

/** What a model is for. */
export type ModelCategory = "llm" | "vlm" | "embedding" | "reranker" | "stt" | "tts" | "image" | "other";

export interface ServedModel {
  readonly format: ModelFormat;
  readonly category: ModelCategory;
  /** Of the placement; `cpu` for one without devices. */
  readonly acceleratorType: Accelerator["type"];
  /** Which backend the stack wants for GGUF models. Default: `llama-cpp`. */
  readonly prefer?: "llama-box" | "llama-cpp" | undefined;
  /** Whether the version of a backend that would be taken serves this accelerator type. */
  readonly canServe: (backend: string) => boolean;
}

/** The backend of a deployment that says `backend: auto`, and why, in one line. Whether it is there is not looked at. */
export function selectBackend(model: ServedModel): { backend: string; reason: string } {
  const { format, category, acceleratorType, prefer, canServe } = model;
  if (format === "gguf") {
    return prefer === "llama-box"
      ? { backend: "llama-box", reason: "the model is GGUF, and the stack prefers llama-box" }
      : { backend: "llama-cpp", reason: "the model is GGUF" };
  }
  if (category === "stt" || category === "tts") {
    return {
      backend: "vox-box",
      reason: `the model is for ${category === "stt" ? "speech to text" : "text to speech"}`,
    };
  }
  if (acceleratorType === "cann") {
    return canServe("vllm")
      ? { backend: "vllm", reason: "the devices are of type cann, which this version of vllm serves" }
      : { backend: "mindie", reason: "the devices are of type cann, which this version of vllm does not serve" };
  }
  return { backend: "vllm", reason: "the model is neither GGUF nor for speech" };
}

/**
 * The format of a model, by the names of its files. Repositories that hold both formats are such of safetensors, with a
 * conversion beside them.
 */
export function formatOf(fileNames: readonly string[]): ModelFormat {
  const has = (suffix: string) => fileNames.some((name) => name.toLowerCase().endsWith(suffix));
  if (has(".safetensors")) return "safetensors";
  return has(".gguf") ? "gguf" : "other";
}

export interface Platform {
  readonly os: BinaryArtifact["os"];
  readonly arch: BinaryArtifact["arch"];
  /** Of the placement; `cpu` for one without devices. */
  readonly acceleratorType: Accelerator["type"];
}

/** Whether hosts can have it. Of other systems a catalogue may know files, which no lock needs. */
export function isHostSystem(os: BinaryArtifact["os"]): os is HostFacts["os"] {
  return os !== "windows";
}

/** What of an image is needed once it fits. */
export type FittingImage = Pick<ImageInstall, "reference" | "digest" | "signature" | "acceleratorTypes">;

/** Chooses of the catalogue for a version; see {@link FindRunnerImage}. */
export type AskRunnerImage = (
  asked: RunnerImageInstall,
  acceleratorType: Platform["acceleratorType"],
) => RunnerImageAnswer;

type ImagePlatform = ImageInstall["platforms"][number];

type Fit =
  | { readonly method: "binary"; readonly artifact: BinaryArtifact }
  | { readonly method: "pipx"; readonly pipx: PipxInstall }
  | {
      readonly method: "image";
      readonly image: FittingImage;
      readonly platform: ImagePlatform;
      readonly runnerImage?: ChosenRunnerImage;
    }
  | { readonly method: "manual"; readonly manual: ManualInstall };

export type InstallChoice =
  | (Fit & {
      readonly ok: true;
      /** One line: the method, and why none before it. */
      readonly reason: string;
    })
  | {
      readonly ok: false;
      /** For each method why not, one line each. */
      readonly reasons: readonly string[];
    };

/**
 * How a version is installed for a placement: the first method that fits, or the asked one. Accelerator types are a
 * hard filter: a build that does not name one never serves it, so a CPU build serves no placement on devices.
 */
export function chooseInstall(
  entry: BackendVersionEntry,
  platform: Platform,
  asked?: InstallMethod,
  order: readonly InstallMethod[] = installMethods,
  askRunnerImage: AskRunnerImage = askNobody,
): InstallChoice {
  const refused: { method: InstallMethod; why: string; there: string }[] = [];
  for (const method of asked === undefined ? order : [asked]) {
    const fit = fits[method](entry.install, platform, askRunnerImage);
    if ("method" in fit) return { ok: true, ...fit, reason: reasonFor(fit, platform, refused) };
    refused.push({ method, ...fit });
  }
  return { ok: false, reasons: refused.map(({ method, why, there }) => `${method}: ${why}${there}`) };
}

interface Refusal {
  readonly why: string;
  /** What there is instead, as the end of a sentence. */
  readonly there: string;
}

const askNobody: AskRunnerImage = () => ({
  kind: "refused",
  reason: "runner images are chosen for the hosts of a stack, by its lock",
});

const absent: Refusal = { why: "this version has none", there: "" };

type Fitting = (
  install: BackendVersionEntry["install"],
  platform: Platform,
  askRunnerImage: AskRunnerImage,
) => Fit | Refusal;

const fits: Record<InstallMethod, Fitting> = {
  binary({ binary }, platform) {
    if (binary === undefined) return absent;
    const artifact = binary.find(
      ({ os, arch, acceleratorTypes = ["cpu"] }) =>
        os === platform.os && arch === platform.arch && acceleratorTypes.includes(platform.acceleratorType),
    );
    if (artifact !== undefined) return { method: "binary", artifact };
    const builds = binary.map(
      ({ os, arch, acceleratorTypes = ["cpu"] }) => `${os}/${arch} ${acceleratorTypes.join("+")}`,
    );
    return { why: `none for ${describe(platform)}`, there: `; there are ${[...new Set(builds)].join(", ")}` };
  },

  pipx({ pipx }, { os, arch, acceleratorType }) {
    if (pipx === undefined) return absent;
    const { acceleratorTypes = ["cpu"] } = pipx;
    if (!pipx.os.includes(os)) return { why: `not for ${os}`, there: `, only for ${pipx.os.join(", ")}` };
    if (!pipx.arch.includes(arch)) return { why: `not for ${arch}`, there: `, only for ${pipx.arch.join(", ")}` };
    if (!acceleratorTypes.includes(acceleratorType)) return notServed(acceleratorType, acceleratorTypes);
    return { method: "pipx", pipx };
  },

  image({ image, runnerImage }, platform, askRunnerImage) {
    const named = fitImage(image, platform);
    if ("method" in named || runnerImage === undefined) return named;
    if (platform.acceleratorType === "cpu") return image === undefined ? noRunnerImage : named;
    const answer = askRunnerImage(runnerImage, platform.acceleratorType);
    if (answer.kind === "refused") return { why: answer.reason, there: "" };
    const { reference, digest } = answer.image;
    const { signature } = runnerImage;
    const found = { reference, ...(digest && { digest }), ...(signature && { signature }) };
    return { method: "image", image: found, platform: imagePlatform(platform), runnerImage: answer.image };
  },

  manual({ manual }, { acceleratorType }) {
    if (manual === undefined) return absent;
    const { acceleratorTypes } = manual;
    if (acceleratorTypes?.includes(acceleratorType) === false) return notServed(acceleratorType, acceleratorTypes);
    return { method: "manual", manual };
  },
};

const noRunnerImage: Refusal = { why: "does not serve cpu", there: ", for which there are no runner images" };

function fitImage(image: ImageInstall | undefined, on: Platform): Fit | Refusal {
  const { os, acceleratorType } = on;
  if (image === undefined) return absent;
  if (os !== "linux") return { why: `not on ${os}`, there: ", only on linux" };
  const platform = imagePlatform(on);
  if (!image.platforms.includes(platform)) {
    return { why: `not for ${platform}`, there: `, only for ${image.platforms.join(", ")}` };
  }
  const { acceleratorTypes } = image;
  if (acceleratorTypes?.includes(acceleratorType) === false) return notServed(acceleratorType, acceleratorTypes);
  return { method: "image", image, platform };
}

function imagePlatform({ arch }: Platform): ImagePlatform {
  return arch === "x64" ? "linux/amd64" : "linux/arm64";
}

function notServed(acceleratorType: string, served: readonly string[]): Refusal {
  return { why: `does not serve ${acceleratorType}`, there: `, only ${served.join(", ")}` };
}

function reasonFor(fit: Fit, platform: Platform, refused: readonly (Refusal & { method: string })[]): string {
  const before = refused.filter(({ why }) => why !== absent.why).map((other) => `${other.method}: ${other.why}`);
  const runner = fit.method === "image" ? fit.runnerImage : undefined;
  const way = runner === undefined ? fit.method : `runner image ${runner.tag} (${runner.reason})`;
  return `${way} for ${describe(platform)}${before.length === 0 ? "" : ` (${before.join("; ")})`}`;
}

function describe({ os, arch, acceleratorType }: Platform): string {
  return `${os}/${arch} and ${acceleratorType}`;
}
