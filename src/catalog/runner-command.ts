import type { BackendFile, BackendVersionEntry } from "../schema/backend.js";
import { renderCommand, type BuiltInPlaceholder, type CommandValues } from "./command.js";
import { parseImageReference } from "./image-reference.js";

/** Whether a version lies within a constraint such as `>=0.11.1`; `*` holds for any. */
export type Satisfies = (version: string, constraint: string) => boolean;

/** What a deployment may say itself; it counts for that deployment alone. */
export interface DeploymentCommand {
  readonly entrypoint?: string | undefined;
  readonly runCommand?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** How the engine is run: as a process of an installed executable, or in a container of an image. */
export type RunnerForm =
  { readonly kind: "process"; readonly executable: string } | { readonly kind: "container"; readonly image: string };

export interface RunnerChoice {
  readonly backend: Pick<BackendFile, "name" | "entrypoint" | "runCommand" | "env" | "images">;
  readonly version: string;
  readonly entry: Pick<BackendVersionEntry, "entrypoint" | "runCommand" | "env">;
  readonly deployment: DeploymentCommand;
  readonly form: RunnerForm;
  readonly satisfies: Satisfies;
}

/** What says a template: for errors, and for those who look for it in a file. */
export type TemplateOrigin =
  | { readonly from: "deployment" | "version" | "backend" }
  | { readonly from: "image"; /** Index in the backend's `images`. */ readonly index: number };

export interface Template {
  readonly text: string;
  readonly origin: TemplateOrigin;
}

/** The templates that count for a deployment, not yet filled in: what a lock can keep. */
export interface RunnerTemplates {
  /** Undefined where nothing says one: a container then has its image's own. */
  readonly entrypoint: Template | undefined;
  readonly runCommand: Template;
  /** Backend < version < deployment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface RunnerCommand {
  /** Entrypoint of the container; undefined for the image's own, and for a process. */
  readonly entrypoint: string[] | undefined;
  /** Of a container its arguments; of a process all of it, beginning with the executable. */
  readonly argv: string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Chooses entrypoint, command and environment of a deployment's runner. The deployment's count before the version's,
 * and these before the backend's. In a container, what the backend knows of the image stands before the image's own
 * entrypoint and the backend's command, as long as nothing else gives another entrypoint.
 */
export function chooseRunnerTemplates(choice: RunnerChoice): RunnerTemplates {
  const { backend, entry, deployment } = choice;
  const given = firstOf("entrypoint", choice);
  const rule = imageRule(choice);
  const ruleHolds = rule !== undefined && (given === undefined || sameWords(given.text, rule.entrypoint.text));
  const command =
    firstOf("runCommand", { deployment, entry }) ??
    (ruleHolds ? rule.runCommand : undefined) ??
    ({ text: backend.runCommand, origin: { from: "backend" } } satisfies Template);
  return {
    entrypoint: given ?? rule?.entrypoint,
    runCommand: command,
    env: { ...backend.env, ...entry.env, ...deployment.env },
  };
}

/**
 * Fills the templates in.
 *
 * @param parameters arguments after the command, taken as they are
 * @throws BerthError `command-invalid`, see {@link renderCommand}
 */
export function renderRunnerTemplates(
  { entrypoint, runCommand, env }: RunnerTemplates,
  form: RunnerForm,
  builtIn: CommandValues["builtIn"],
  parameters: readonly string[],
  where: string,
): RunnerCommand {
  const values = { builtIn, environment: env };
  const render = (template: Template, field: string) =>
    renderCommand(template.text, values, `${where}, ${field} of ${describe(template)}`);
  const first = entrypoint === undefined ? undefined : render(entrypoint, "entrypoint");
  const words = [...render(runCommand, "run command"), ...parameters];
  if (form.kind === "container") return { entrypoint: first, argv: words, env };
  // The executable stands where the entrypoint names the engine: `vllm serve` becomes `.../vllm_0.19.0 serve`.
  return { entrypoint: undefined, argv: [form.executable, ...(first ?? []).slice(1), ...words], env };
}

/** The exact argument vector and environment of a deployment's runner: both steps at once. */
export function resolveRunnerCommand(
  choice: RunnerChoice,
  builtIn: CommandValues["builtIn"],
  parameters: readonly string[],
  where = `backends/${choice.backend.name}.yaml`,
): RunnerCommand {
  return renderRunnerTemplates(chooseRunnerTemplates(choice), choice.form, builtIn, parameters, where);
}

/** The image of a deployment: its own, else the version's, else the one of the runner catalogue. */
export function chooseImage(
  imageName: string | undefined,
  entry: Pick<BackendVersionEntry, "install">,
  runnerImage?: string,
): string | undefined {
  const { image } = entry.install;
  if (imageName !== undefined) return imageName;
  if (image === undefined) return runnerImage;
  return image.digest === undefined ? image.reference : `${image.reference}@${image.digest}`;
}

export interface RunnerPlace {
  readonly modelPath: string;
  /** The model's file that reads images or sound for it. */
  readonly projectorPath?: string | undefined;
  readonly modelName: string;
  /** Where clients reach the runner. */
  readonly bindAddress: string;
  readonly port: number;
  /** The port inside a network namespace of the container's own; undefined when it shares the host's network. */
  readonly containerPort?: number | undefined;
  /** Accelerators, as the engine counts them. */
  readonly devices: readonly string[];
}

/** The values of the built-in placeholders. In a network namespace of its own a runner listens on every address. */
export function placeholderValues(place: RunnerPlace): Readonly<Record<BuiltInPlaceholder, string>> {
  const { modelPath, projectorPath = "", modelName, bindAddress, port, containerPort, devices } = place;
  return {
    model_path: modelPath,
    mmproj_path: projectorPath,
    model_name: modelName,
    port: String(containerPort ?? port),
    worker_ip: containerPort === undefined ? bindAddress : "0.0.0.0",
    gpu_count: String(devices.length),
    gpu_ids: devices.join(","),
  };
}

/** Stands in the arguments of a runner for its port, where that is one of two and is chosen when it starts. */
export const openPort = "{{port}}";

type Sayers = Partial<Pick<RunnerChoice, "deployment" | "entry">> & { backend?: { entrypoint?: string | undefined } };

function firstOf(field: "entrypoint" | "runCommand", { deployment, entry, backend }: Sayers): Template | undefined {
  const candidates: [string | undefined, "deployment" | "version" | "backend"][] = [
    [deployment?.[field], "deployment"],
    [entry?.[field], "version"],
    [field === "entrypoint" ? backend?.entrypoint : undefined, "backend"],
  ];
  for (const [text, from] of candidates) if (text !== undefined) return { text, origin: { from } };
  return undefined;
}

interface ImageRule {
  readonly entrypoint: Template;
  readonly runCommand: Template | undefined;
}

/** What the backend knows of the container's image: the first rule for its repository and the version. */
function imageRule({ backend, version, form, satisfies }: RunnerChoice): ImageRule | undefined {
  if (form.kind === "process") return undefined;
  const { repository } = parseImageReference(form.image);
  // GPUStack makes people end the names of their own versions so; the engine's version is before it.
  const release = version.replace(/-custom$/i, "");
  const index = backend.images.findIndex(
    (rule) => isRepository(repository, rule.repository) && satisfies(release, rule.versions),
  );
  const rule = backend.images[index];
  if (rule === undefined) return undefined;
  const origin: TemplateOrigin = { from: "image", index };
  return {
    entrypoint: { text: rule.entrypoint, origin },
    runCommand: rule.runCommand === undefined ? undefined : { text: rule.runCommand, origin },
  };
}

/** Also below the prefix that a mirror of the registry puts before it. */
function isRepository(repository: string, known: string): boolean {
  return repository === known || repository.endsWith(`/${known}`);
}

function sameWords(a: string, b: string): boolean {
  return a.trim().split(/\s+/).join(" ") === b.trim().split(/\s+/).join(" ");
}

function describe({ origin }: Template): string {
  return origin.from === "image" ? `images[${origin.index}]` : `the ${origin.from}`;
}
