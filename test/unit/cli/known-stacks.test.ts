import { describe, expect, it } from "vitest";

import { diff } from "../../../src/cli/diff.js";
import { history } from "../../../src/cli/history.js";
import { promote } from "../../../src/cli/promote.js";
import { rollback } from "../../../src/cli/rollback.js";
import { status } from "../../../src/cli/status.js";
import { verify } from "../../../src/cli/verify.js";
import { chooseStack, nameStack, type Workplace } from "../../../src/cli/workplace.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const files = {
  "Pulumi.yaml": "name: shop\n",
  "Pulumi.elsewhere.yaml": "config: { berth:stackFile: files/e.yaml }\n",
  "stacks/dev.yaml": "",
  "stacks/old.lock.yaml": "",
  "stacks/environments.yaml": "schemaVersion: 1\norder: [dev, staging, prod]\n",
};
const { signal } = new AbortController();

describe("a stack that is named", () => {
  it.each([
    ["its file", "dev"],
    ["its lock", "old"],
    ["Pulumi's configuration", "elsewhere"],
    ["the order of environments", "prod"],
  ])("is known by %s", async (_, stack) => {
    expect(await chooseStack((await testProject(files)).workplace, stack)).toBe(stack);
  });

  it.each([
    ["the names that are spelled alike", "stagin", "staging"],
    ["all names", "production", "dev or elsewhere or old or prod or staging"],
  ])("is refused when there is none, with %s", async (_, stack, expected) => {
    const { workplace } = await testProject(files);
    const error = await rejectionOf(chooseStack(workplace, stack));
    expect([error.code, error.parts.what, error.parts.expected]).toEqual([
      "file-not-found",
      `there is no stack ${stack}`,
      expected,
    ]);
  });

  it("is not asked for where only the state counts, which may be all that is left of it", async () => {
    expect(await nameStack((await testProject(files)).workplace, "gone")).toBe("gone");
  });

  it.each<[string, (workplace: Workplace, stack: string) => Promise<unknown>]>([
    ["diff", (workplace, stack) => diff(workplace, "dev", stack, {})],
    ["history", (workplace, stack) => history(workplace, stack, {})],
    ["promote", (workplace, stack) => promote(workplace, "dev", stack, {}, signal)],
    ["rollback", (workplace, stack) => rollback(workplace, stack, {}, signal)],
    ["status", (workplace, stack) => status(workplace, stack, {})],
    ["verify", (workplace, stack) => verify(workplace, stack, {}, signal)],
  ])("is refused by `berth %s`", async (_, run) => {
    const { workplace } = await testProject(files);
    const error = await rejectionOf(run(workplace, "prdo"));
    expect([error.code, error.parts.expected]).toEqual([
      "file-not-found",
      "dev or elsewhere or old or prod or staging",
    ]);
  });
});
