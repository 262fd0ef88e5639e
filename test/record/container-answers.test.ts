import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { containerBody } from "../../src/runtime/container-body.js";
import type { SeenBody } from "../../src/runtime/container-difference.js";
import { CreatedContainers, whyNoEngine } from "../support/created-containers.js";
import { repository } from "../support/toolchain.js";
import { goldenSpecs } from "../unit/support/container-specs.js";

const reason = await whyNoEngine();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

/** `npm test -- record`, with the engine whose answers are wanted; a file for each version, which stays. */
it.skipIf(isLeftOut)("records how a Docker Engine tells of the containers that it makes", async () => {
  const containers = await CreatedContainers.start();
  onTestFinished(() => containers.dispose());
  const answers: Record<string, SeenBody> = {};
  for (const [name, spec] of Object.entries(goldenSpecs)) {
    // No engine makes it without its vendor's runtime.
    if (name === "musa") continue;
    const body = containerBody(spec);
    const { status, id } = await containers.create(containers.here(body));
    expect(status).toBe(201);
    answers[name] = { ...(await containers.inspect(id)), Image: body.Image };
  }
  const file = join(repository, "test", "fixtures", "container-answers", `docker-${containers.engineVersion}.json`);
  writeFileSync(file, `${JSON.stringify(answers, undefined, 2)}\n`);
});
