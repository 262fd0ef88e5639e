import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { Sandbox } from "../support/sandbox.js";

/** Where the test before a boot leaves word for the one after it. */
const note = join(tmpdir(), "berth-sandbox-over-a-boot");

export async function leaveSandbox({ root }: Sandbox): Promise<void> {
  await writeFile(note, root);
}

export async function findSandbox(): Promise<Sandbox> {
  return Sandbox.open(await readFile(note, "utf8"));
}

/** Ports that the tests outside of the container, who have the same network, do not choose. */
export function choosePorts(): [number, number] {
  const first = 31_500 + 20 * Math.floor(Math.random() * 50);
  return [first, first + 19];
}

/** What the deployment answers to a completion. */
export async function answerOf(sandbox: Sandbox, deployment: string): Promise<unknown> {
  const { output } = await sandbox.pulumi(["stack", "output", "--json", "--stack", "test"]);
  const { endpoints } = JSON.parse(output) as { endpoints: Record<string, string> };
  const response = await fetch(`${endpoints[deployment] ?? ""}/completions`, { method: "POST", body: "{}" });
  return response.json();
}

/** Runs `systemctl` for the units of the sandbox. */
export async function systemctl(sandbox: Sandbox, ...args: string[]): Promise<string> {
  const { stdout } = await execa("systemctl", [...args, ...sandbox.units()]);
  return stdout;
}

/** Every unit of Berth that systemd knows or has links to. */
export async function allUnits(): Promise<string> {
  const lists = ["list-units", "list-unit-files"].map((list) =>
    execa("systemctl", [list, "--all", "--plain", "--no-legend", "berth-*"], { reject: false }),
  );
  return (await Promise.all(lists)).map(({ stdout }) => stdout).join("");
}
