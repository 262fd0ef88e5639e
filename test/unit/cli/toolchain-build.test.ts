import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { minimumGo, whyNoAnswer } from "../../../src/cli/toolchain-build.js";
import { obtainPulumi, pulumiVersion } from "../../../src/cli/toolchain.js";
import {
  archiveName,
  cliNames,
  failure,
  Machine,
  putScript,
  reachable,
  repository,
  unreachable,
} from "./toolchain-machine.js";

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.create();
});
afterEach(() => machine.remove());

describe("the official download", () => {
  const installScript = [
    "#!/bin/sh",
    'while [ "$1" != --install-root ]; do shift; done',
    '/bin/mkdir -p "$2/bin"',
    `for name in ${cliNames.join(" ")}; do`,
    `  printf '#!/bin/sh\\necho v${pulumiVersion}\\n' > "$2/bin/$name"`,
    '  /bin/chmod 755 "$2/bin/$name"',
    "done",
    '/bin/cat "$CURL_HOME/.curlrc" > "$REPORT"',
  ].join("\n");

  /** Lets the real npm package fetch this install script instead of the one on the network. */
  async function serving(text: string): Promise<Record<string, string>> {
    const stub = join(machine.root, "fetch.mjs");
    await writeFile(stub, `globalThis.fetch = async () => new Response(${JSON.stringify(text)});\n`);
    return { NODE_OPTIONS: `--import=${stub}`, REPORT: join(machine.root, "curlrc") };
  }

  it("goes through the npm package pulumi, into the same cache", async () => {
    const options = machine.options(await serving(installScript), { packageRoot: repository });
    expect(await obtainPulumi(options, reachable)).toMatchObject({
      source: "official download",
      binDir: machine.cache,
      detail: `Pulumi ${pulumiVersion} downloaded from get.pulumi.com`,
    });
    expect((await readdir(machine.cache)).sort()).toEqual(cliNames);
    expect(await machine.leftovers()).toEqual([]);
    expect(machine.reports).toContain(`downloading Pulumi ${pulumiVersion} from get.pulumi.com`);
  });

  it("adds limits to the curl settings that the person has", async () => {
    await mkdir(join(machine.root, "home"));
    await writeFile(join(machine.root, "home", ".curlrc"), "proxy = proxy.example:3128");
    await obtainPulumi(machine.options(await serving(installScript), { packageRoot: repository }), reachable);
    const settings = (await readFile(join(machine.root, "curlrc"), "utf8")).split("\n");
    expect(settings).toEqual(
      expect.arrayContaining(["proxy = proxy.example:3128", "connect-timeout = 5", "speed-time = 30"]),
    );
  });

  it("that fails gives way to the build, and its last words are kept", async () => {
    const options = machine.options(await serving("echo no such release >&2; exit 1"), { packageRoot: repository });
    const { detail } = (await failure(options, reachable)).parts;
    expect(detail).toContain("official download: the npm package pulumi failed:\n");
    expect(detail).toContain("no such release");
    expect(detail).toContain("built with go: there is no go on PATH");
    expect(existsSync(machine.cache)).toBe(false);
  });

  it("is not tried when the host does not answer", async () => {
    const { detail } = (await failure(machine.options({}, { packageRoot: repository }))).parts;
    expect(detail).toContain("official download: get.pulumi.com: no answer within 5 s");
  });
});

describe("a host", () => {
  async function listen(): Promise<{ server: Server; url: string }> {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
  }

  it("that takes the connection and never answers is given up after the deadline", async () => {
    const { server, url } = await listen();
    expect(await whyNoAnswer(url, 0.05)).toBe("no answer within 0.05 s");
    server.close();
  });

  it("that refuses the connection is told as such", async () => {
    const { server, url } = await listen();
    await new Promise((resolve) => server.close(resolve));
    expect(await whyNoAnswer(url)).toContain("ECONNREFUSED");
  });

  it("that has no address is told as such", async () => {
    expect(await whyNoAnswer("http://nowhere.invalid/")).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });
});

describe("the build with Go", () => {
  /** A `go` that notes its calls and, asked to build, writes a program that tells the linked version. */
  async function putGo({ version = "1.26.8", failing = false } = {}): Promise<void> {
    const text = `#!${process.execPath}
const { appendFileSync, writeFileSync } = require("node:fs");
const args = process.argv.slice(2);
const { GOTOOLCHAIN, GOWORK, CGO_ENABLED, GOPROXY } = process.env;
if (args[0] === "version") console.log("go version go${version} linux/amd64");
else if (args[0] === "env") console.log("https://proxy.example,direct");
else {
  appendFileSync(${JSON.stringify(join(machine.root, "builds"))},
    JSON.stringify({ cwd: process.cwd(), args, GOTOOLCHAIN, GOWORK, CGO_ENABLED, GOPROXY }) + "\\n");
  console.error("go: downloading example.com/module v1.0.0");
  if (${JSON.stringify(failing)}) { console.error("module.go:1:1: it does not compile"); process.exit(1); }
  const told = /Version=(\\S+)/.exec(args.join(" "))[1];
  writeFileSync(args[args.indexOf("-o") + 1], "#!/bin/sh\\necho " + told + "\\n", { mode: 0o755 });
}
`;
    await putScript(join(machine.root, "bin", "go"), text);
  }

  async function builds(): Promise<Record<string, unknown>[]> {
    const lines = (await readFile(join(machine.root, "builds"), "utf8")).trim().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  const fromRepository = () => machine.options({}, { packageRoot: repository, sources: ["built with go"] });

  it("makes the CLI and the language host from tools/pulumi, and takes the launcher from @pulumi/pulumi", async () => {
    await putGo();
    const made = await obtainPulumi(fromRepository(), reachable);
    expect(made).toMatchObject({ source: "built with go", version: pulumiVersion, binDir: machine.cache });
    expect(made.detail).toMatch(`Pulumi ${pulumiVersion} built with Go 1.26.8 in `);
    expect((await readdir(machine.cache)).sort()).toEqual(cliNames);
    expect(await readFile(join(machine.cache, "pulumi-resource-pulumi-nodejs"), "utf8")).toContain("dynamic-provider");
    expect((await builds()).map(({ cwd }) => cwd)).toEqual([
      join(repository, "tools", "pulumi", "cli"),
      join(repository, "tools", "pulumi", "language-nodejs"),
    ]);
    expect(machine.reports).toContain(`building pulumi ${pulumiVersion}: 0 packages`);
  });

  it("changes no module file, downloads no other Go and needs no C compiler", async () => {
    await putGo();
    await obtainPulumi(fromRepository(), reachable);
    for (const call of await builds()) {
      expect(call).toMatchObject({ GOTOOLCHAIN: "local", GOWORK: "off", CGO_ENABLED: "0" });
      expect(call["args"]).toEqual(expect.arrayContaining(["-mod=readonly", "-trimpath"]));
      expect(call).not.toHaveProperty("GOPROXY");
    }
  });

  it("uses only the modules that Go already has when the module proxy does not answer", async () => {
    await putGo();
    await obtainPulumi(fromRepository(), unreachable);
    expect((await builds()).map(({ GOPROXY }) => GOPROXY)).toEqual(["off", "off"]);
    expect(machine.reports[0]).toContain("https://proxy.example: no answer within 5 s");
  });

  it("that fails tells the compiler's last lines and leaves no cache", async () => {
    await putGo({ failing: true });
    const error = await failure(fromRepository(), reachable);
    expect(error.parts.detail).toContain("module.go:1:1: it does not compile");
    expect(existsSync(machine.cache)).toBe(false);
  });

  it("is refused with a Go that is too old; the error lists every source and what to do", async () => {
    await putGo({ version: "1.24.3" });
    const error = await failure(machine.options({}, { packageRoot: repository }));
    expect(error.code).toBe("toolchain-missing");
    expect(error.parts.detail?.split("\n")).toEqual([
      "path: PATH has no pulumi",
      `cache: ${machine.cache} has no pulumi`,
      "offline folder: BERTH_TOOLCHAIN is not set",
      "official download: get.pulumi.com: no answer within 5 s",
      `built with go: go on PATH is 1.24.3, older than ${minimumGo}`,
    ]);
    expect(error.parts.hint).toBe(
      `Install Pulumi ${pulumiVersion}, or set BERTH_TOOLCHAIN to a folder that holds ${archiveName}, ` +
        `or install Go ${minimumGo} or newer.`,
    );
  });
});
