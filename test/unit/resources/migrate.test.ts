import { describe, expect, it } from "vitest";

import { instanceKind } from "../../../src/resources/instance.js";
import { migrate, outputVersion, readInputs } from "../../../src/resources/migrate.js";
import { readRecorded } from "../../support/recorded.js";
import { instanceOf } from "../support/instances.js";
import { thrownBy } from "../support/thrown.js";

describe("migrate", () => {
  it("hands on outputs of this version as they are", () => {
    const outputs = { schemaVersion: outputVersion, name: "chat-0", drift: [] };
    expect(migrate("Instance", outputs)).toEqual(outputs);
  });

  it("refuses outputs of a later version, and says what to do", () => {
    const error = thrownBy(() => migrate("Instance", { schemaVersion: outputVersion + 1, name: "chat-0" }));
    expect([error.code, error.message]).toEqual([
      "lock-incompatible",
      [
        "Instance chat-0: the state was written neither by this version of Berth nor by an earlier one",
        `  got: schemaVersion ${outputVersion + 1}`,
        `  expected: at most ${outputVersion}`,
        "  to do: update pulumi-berth",
      ].join("\n"),
    ]);
  });

  it.each([undefined, null, "1", NaN, 0, -1, 0.5])(
    "refuses outputs of no version that there was: %s",
    (schemaVersion) => {
      const error = thrownBy(() => migrate("Instance", { schemaVersion, name: "chat-0" }));
      expect(error.code).toBe("lock-incompatible");
    },
  );
});

describe("states that earlier versions wrote", () => {
  const instances = readRecorded().flatMap(({ version, state }) => {
    const { deployment } = JSON.parse(state.replaceAll("{{project}}", "/srv/project")) as {
      deployment: { resources: { type: string; outputs?: Record<string, unknown> }[] };
    };
    const found = deployment.resources.filter(({ type }) => type.endsWith(":Instance"));
    return found.map(({ outputs = {} }) => [version, String(outputs.name), outputs] as const);
  });

  it.each(instances)(
    "of %s are read: %s has no memory that was estimated, and none that was seen",
    (...[, , outputs]) => {
      const migrated = migrate("Instance", outputs);
      expect(migrated).not.toHaveProperty("usedMemory");
      expect(readInputs(instanceKind, { ...migrated, secretEnv: {} }).memory).toBeUndefined();
    },
  );
});

describe("readInputs", () => {
  it("takes the inputs out of outputs, which hold observed values too", () => {
    const inputs = instanceOf();
    const outputs = { ...inputs, schemaVersion: outputVersion, drift: [], health: "answered", restarts: 0 };
    expect(readInputs(instanceKind, outputs)).toEqual(inputs);
  });

  it("refuses inputs that the kind does not understand, and says which", () => {
    const error = thrownBy(() => readInputs(instanceKind, { ...instanceOf(), port: "http" }));
    expect(error.code).toBe("lock-incompatible");
    expect(error.message).toContain(
      "Instance chat-0: the state holds inputs that this version of Berth does not understand",
    );
    expect(error.message).toContain("port");
  });
});
