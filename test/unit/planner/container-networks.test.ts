import { describe, expect, it } from "vitest";

import { desiredStack } from "../../../src/planner/desired.js";
import { place, type PlacementProblem } from "../../../src/planner/placement.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

/** The sample deployment as an image, on a host that declares these networks and has Docker. */
function problem(asked: string[], declared: Record<string, object> = { front: {}, models: { internal: true } }) {
  const hosts = { local: { connection: "local", networks: declared } } as const;
  const stack = stackOf({ chat: chat({ container: { networks: asked } }) }, { hosts });
  const facts = { containerEngine: { engine: "docker", version: "27.5.1", apiVersion: "1.47" } } as const;
  const { release, ...rest } = problemOf(stackOf({ chat: chat() }, { hosts }), {
    hosts: { local: knownHost("/srv/local", { facts }) },
  });
  if (release.chat === undefined) throw new Error("the problem has a deployment");
  const install = { method: "image", reference: "ghcr.io/team/engine:v1", digest: `sha256:${"a".repeat(64)}` } as const;
  return { ...rest, stack, release: { chat: { ...release.chat, install } } } satisfies PlacementProblem;
}

const errorOf = (...of: Parameters<typeof problem>) => thrownBy(() => place(problem(...of)));

describe("the networks of a container", () => {
  it("are those of its host, by Docker's names, in the order in which it names them", () => {
    const asked = problem(["models", "front"]);
    const placement = place(asked);
    const [project, stack] = asked.owner.split("/");
    const names = ["models", "front"].map((key) => `berth_${project ?? ""}_${stack ?? ""}_local_${key}`);
    expect(placement.instances["chat-0"]?.networks).toEqual(names);
    const [instance] = desiredStack({ release: asked.release, placement }, "/").instances;
    expect(instance?.container?.networks).toEqual(names);
  });

  it("are refused when the host declares none of that name", () => {
    const error = errorOf(["front", "back"]);
    expect(error).toMatchObject({
      code: "stack-inconsistent",
      parts: { where: "deployment chat", got: "container.networks: back", expected: "one of front, models" },
    });
    expect(errorOf(["front"], {})).toMatchObject({ parts: { expected: "`networks` of host local; it has none" } });
  });

  it("are refused when all of them are internal, because the engine would publish no port", () => {
    expect(errorOf(["models"])).toMatchObject({
      code: "stack-inconsistent",
      parts: { got: "container.networks: models" },
    });
  });
});
