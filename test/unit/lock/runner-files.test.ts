import { execFileSync } from "node:child_process";
import { mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { dockerfileSkeleton, matrixSkeleton } from "../../../src/catalog/dockerfile-skeleton.js";
import { packContext, readRecipeOf, readRecipes } from "../../../src/lock/build-recipes.js";
import { readAcceleratorTypes, readDeclaredDevices, readRunners } from "../../../src/lock/runner-files.js";
import { repository } from "../support/repository.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { thrownBy } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const newtype = `schemaVersion: 1
acceleratorType: newtype
name: Newtype
vendor: newvendor
device: New device
hostRuntime: { comparable: false, source: nothing }
services: { engine: Engine }
devices: { find: { command: [ls, /dev], pattern: "^new(?<index>\\\\d+)$" } }
versions: []
`;
const runners = "backends/runners";

async function project(files: Readonly<Record<string, string>> = {}) {
  const { workplace } = await testProject(files);
  const { root } = workplace;
  const at = (name: string) => join(root, runners, name);
  await mkdir(at("."), { recursive: true });
  return {
    root,
    at,
    link: async (target: string, name: string) => {
      await mkdir(dirname(at(name)), { recursive: true });
      await symlink(target, at(name));
    },
    pipe: (name: string) => execFileSync("mkfifo", [at(name)]),
  };
}

const readAll = (root: string) => [
  ...readAcceleratorTypes(root, repository),
  ...readDeclaredDevices(root, repository).map(({ device }) => device),
  ...Object.keys(readRunners(root, repository).files),
];
/** Each of those that read the files tells the same. */
const problemOf = (root: string) => {
  const errors = [readAcceleratorTypes, readDeclaredDevices, readRunners].map((read) =>
    String(thrownBy(() => read(root, repository))),
  );
  expect(new Set(errors).size).toBe(1);
  return errors[0];
};

describe("files of runner images", () => {
  it("may be links to files of the project", async () => {
    const { root, link } = await project({ "shared/new.yaml": newtype });
    await link("../../shared/new.yaml", "newtype.yaml");
    expect(readAll(root)).toContain("New device");
  });

  it("are not what editors and others leave beside them", async () => {
    const { root, at, link, pipe } = await project({ [`${runners}/newtype.yaml`]: newtype });
    const before = readAll(root);
    await link("somebody@host.1234:1700000000", ".#newtype.yaml");
    await link("nowhere", "README.md");
    for (const name of [".newtype.yaml.swp", "newtype.yaml~", "#newtype.yaml#", "newtype.yaml.orig", "notes.txt"])
      await writeFile(at(name), "{");
    pipe("pipe");
    expect(readAll(root)).toEqual(before);
    expect(readRecipes(root, repository).map(({ acceleratorType }) => acceleratorType)).toEqual(["cuda", "rocm"]);
  });

  it.each(["cuda.yml", "Cuda.yaml", "cuda.YAML", "cuda12.yaml", "new-type.yaml"])("are not called %s", async (name) => {
    const { root } = await project({ [`${runners}/${name}`]: newtype });
    expect(problemOf(root)).toContain(`${runners}/${name}: it has no name of a file of runner images`);
  });

  it("are no folders", async () => {
    const { root, at } = await project();
    await mkdir(at("cuda.yaml"));
    expect(problemOf(root)).toContain(`${runners}/cuda.yaml: it is no plain file\n  got: a folder`);
  });

  it("are no pipes, on which a reader would wait", async () => {
    const { root, pipe } = await project();
    pipe("cuda.yaml");
    expect(problemOf(root)).toContain(`${runners}/cuda.yaml: it is no plain file\n  got: a pipe`);
  });

  it("are not larger than any document", async () => {
    const { root, at } = await project({ [`${runners}/newtype.yaml`]: newtype });
    await truncate(at("newtype.yaml"), 5_000_000_000);
    for (const read of [readDeclaredDevices, readRunners])
      expect(String(thrownBy(() => read(root, repository)))).toContain(`${runners}/newtype.yaml:1:1: the file is too`);
  });

  it("are no links that lead nowhere, or out of the project", async () => {
    const { root, at, link } = await project();
    await link("gone.txt", "cuda.yaml");
    expect(problemOf(root)).toContain(`${runners}/cuda.yaml: the link leads nowhere`);
    await rm(at("cuda.yaml"));
    await link("cuda.yaml", "cuda.yaml");
    expect(problemOf(root)).toContain(`${runners}/cuda.yaml: the link leads nowhere`);
    await rm(at("cuda.yaml"));
    await writeFile(join(await temporaryFolder(), "outside.yaml"), newtype);
    await link(join(repository, runners, "cuda.yaml"), "cuda.yaml");
    expect(problemOf(root)).toContain(`${runners}/cuda.yaml: the link leads out of the project`);
  });
});

describe("folders that runner images are built from", () => {
  const subject = {
    ...{ acceleratorType: "corex", name: "Iluvatar CoreX", runtimeVersion: "4.3.0" },
    ...{ services: { vllm: "vLLM" }, versions: { vllm: "0.9.0" } },
  };
  const built = { "shared/matrix.yaml": matrixSkeleton(subject), "shared/Dockerfile": dockerfileSkeleton(subject) };
  const typesOf = (root: string, type?: string) =>
    readRecipes(root, repository, type).map(({ acceleratorType, dockerfiles }) => [
      acceleratorType,
      ...Object.keys(dockerfiles),
    ]);
  const problemOf = (root: string) => String(thrownBy(() => readRecipes(root, repository)));

  it("may be links to folders of the project", async () => {
    const { root, link } = await project(built);
    await link("../../shared", "corex");
    expect(typesOf(root, "corex")).toEqual([["corex", "Dockerfile"]]);
  });

  it("may have links to files of the project, which are sent as files", async () => {
    const { root, at, link } = await project(built);
    await link("../../../shared/matrix.yaml", "corex/matrix.yaml");
    await link("../../../shared/Dockerfile", "corex/Dockerfile");
    expect(typesOf(root, "corex")).toEqual([["corex", "Dockerfile"]]);
    const linked = await packContext(root, at("corex"), "Dockerfile");
    expect(linked.toString("latin1")).toEqual(
      (await packContext(root, join(root, "shared"), "Dockerfile")).toString("latin1"),
    );
  });

  it.each(["corex", "corex/matrix.yaml", "corex/Dockerfile"])(
    "are none with a link out of the project: %s",
    async (name) => {
      const { root, at, link } = await project({
        [`${runners}/corex/matrix.yaml`]: built["shared/matrix.yaml"],
        [`${runners}/corex/Dockerfile`]: built["shared/Dockerfile"],
      });
      const outside = join(await temporaryFolder(), "outside");
      await rename(at(name), outside);
      await link(outside, name);
      expect(problemOf(root)).toContain(`${runners}/${name}: the link leads out of the project`);
      await rm(outside, { recursive: true });
      expect(problemOf(root)).toContain(`${runners}/${name}: the link leads nowhere`);
    },
  );

  it.each(["matrix.yml", "matix.yaml", "Matrix.yaml"])("are told of %s, which nobody reads", async (name) => {
    const { root } = await project({ [`${runners}/corex/${name}`]: built["shared/matrix.yaml"] });
    const problem = problemOf(root);
    expect(problem).toContain(`${runners}/corex/matrix.yaml: there is no such file`);
    expect(problem).toContain(`to do: rename ${name} to matrix.yaml`);
    expect(typesOf(root, "cuda")).toHaveLength(1);
  });

  it("are told of what has a Dockerfile and no matrix", async () => {
    const file = `${runners}/corex/Dockerfile`;
    const { root } = await project({ [file]: built["shared/Dockerfile"] });
    expect(problemOf(root)).toContain(`${runners}/corex/matrix.yaml: there is no such file`);
    expect(readRecipeOf(root, join(root, file))).toBeUndefined();
  });

  it("are told of what stands in the place of Berth's and has nothing to build", async () => {
    const { root } = await project({ [`${runners}/cuda.yaml`]: "", [`${runners}/cuda/a.patch`]: "" });
    expect(problemOf(root)).toContain(`${runners}/cuda/matrix.yaml: there is no such file`);
  });

  it("are not folders of other things", async () => {
    const { root } = await project({ [`${runners}/common/install.sh`]: "", [`${runners}/old.d/notes`]: "" });
    expect(typesOf(root).map(([type]) => type)).toEqual(["cuda", "rocm"]);
  });

  it("have a matrix that is a file", async () => {
    const { root, at, pipe } = await project({ [`${runners}/corex/Dockerfile`]: built["shared/Dockerfile"] });
    await mkdir(at("corex/matrix.yaml"));
    expect(problemOf(root)).toContain("corex/matrix.yaml: it is no plain file");
    await rm(at("corex/matrix.yaml"), { recursive: true });
    pipe("corex/matrix.yaml");
    expect(problemOf(root)).toContain("corex/matrix.yaml: it is no plain file");
    await rm(at("corex/matrix.yaml"));
    await writeFile(at("corex/matrix.yaml"), "");
    await truncate(at("corex/matrix.yaml"), 5_000_000_000);
    expect(problemOf(root)).toContain("corex/matrix.yaml:1:1: the file is too large");
  });
});
