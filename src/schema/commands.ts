import { mapValues } from "../lib/record.js";
import { z } from "zod";

import { durationSeconds, mostSeconds, name, secretReference, timeoutText } from "./scalars.js";
import { variable } from "./variable.js";

/** What `verify` commands may name in double braces. */
export const verifyPlaceholders = ["endpoint", "model_name", "port"] as const;

export type VerifyPlaceholder = (typeof verifyPlaceholders)[number];

/** Other words in double braces are the command's own, such as the Go templates of `docker --format`. */
const placeholderForm = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;
const secondsAtMost = { setup: durationSeconds("30m"), verify: durationSeconds("5m") };

const text = z
  .string()
  .min(1, { error: "expected a command" })
  .max(20_000, { error: "expected a command of at most 20000 characters" })
  .regex(/^[^\u0000]*$/, { error: "expected a command without NUL characters" });

const verifyText = text.superRefine((command, context) => {
  for (const [found, placeholder = ""] of command.matchAll(placeholderForm)) {
    if (isVerifyPlaceholder(placeholder)) continue;
    const known = verifyPlaceholders.map((each) => `{{${each}}}`).join(", ");
    context.addIssue({ code: "custom", message: `expected one of ${known}, not ${found}`, input: command });
  }
});

function isVerifyPlaceholder(word: string): word is VerifyPlaceholder {
  return (verifyPlaceholders as readonly string[]).includes(word);
}

/** The command with its placeholders filled in. Pure. */
export function fillPlaceholders(command: string, values: Readonly<Record<VerifyPlaceholder, string>>): string {
  return command.replaceAll(placeholderForm, (found, word: string) =>
    isVerifyPlaceholder(word) ? values[word] : found,
  );
}

const secretEnv = z
  .record(variable, secretReference)
  .optional()
  .describe("Environment variables of the command whose values are secrets");

const setupCommand = z
  .strictObject({
    create: text.describe(
      "Run by /bin/sh before anything else of Berth is made on the host, and again when this text or the user changes",
    ),
    delete: text
      .optional()
      .describe("Run by /bin/sh when the entry is taken out of the stack file, and when the stack is destroyed"),
    timeout: timeoutText.optional().describe("How long it may take, above 0 and at most 576h. Default 30m"),
    secretEnv,
  })
  .describe("A command that prepares the host");

const verifyCommand = z
  .strictObject({
    command: verifyText.describe(
      "Run by /bin/sh once the instance is healthy, and again when the instance or this text changes. `{{endpoint}}` is the base URL for OpenAI clients, `{{model_name}}` the name that they send, `{{port}}` the port; the variable BERTH_API_KEY has the deployment's `apiKey`",
    ),
    on: z
      .enum(["host", "local"])
      .optional()
      .describe("Where it runs: on the instance's `host`, or on the machine where Pulumi runs (`local`). Default host"),
    timeout: timeoutText.optional().describe("How long it may take, above 0 and at most 576h. Default 5m"),
    secretEnv,
  })
  .describe("A command that checks what is served");

/** Commands that prepare a host, by name. */
export const setupCommands = z
  .record(name, z.union([text.describe("The `create` command"), setupCommand]))
  .describe(
    "Commands that prepare the host, by name, in whose order they run; a text alone is `create`. Run through @pulumi/command",
  );

/** Commands that check a deployment, by name. */
export const verifyCommands = z
  .record(name, z.union([verifyText.describe("The `command`"), verifyCommand]))
  .describe("Commands that check what is served, by name; a text alone is `command`. Run through @pulumi/command");

const placedFields = {
  timeoutSeconds: z.number().positive().max(mostSeconds).describe("How long it may take, seconds"),
  secretEnv: z.record(variable, z.string()).optional().describe("Environment variable to the name of its secret"),
};

export const placedSetup = z
  .strictObject({
    create: z.string().describe("Run before anything else of Berth on the host"),
    delete: z.string().optional().describe("Run when it is not wanted any more"),
    ...placedFields,
  })
  .describe("A command that prepares the host");

export const placedVerification = z
  .strictObject({
    command: z.string().describe("Run once the instance is healthy; with placeholders"),
    on: z.enum(["host", "local"]).describe("Where it runs"),
    ...placedFields,
  })
  .describe("A command that checks what is served");

export type PlacedSetup = z.output<typeof placedSetup>;
export type PlacedVerification = z.output<typeof placedVerification>;

/** What a stack file says of `setup`, with defaults, by name. Pure. */
export function placeSetup(written: z.output<typeof setupCommands>): Record<string, PlacedSetup> {
  return mapValues(written, (entry) => {
    const { create, delete: undo, ...rest } = typeof entry === "string" ? { create: entry } : entry;
    return { create, ...(undo === undefined ? {} : { delete: undo }), ...placeCommon(rest, secondsAtMost.setup) };
  });
}

/** What a stack file says of `verify`, with defaults, by name. Pure. */
export function placeVerify(written: z.output<typeof verifyCommands>): Record<string, PlacedVerification> {
  return mapValues(written, (entry) => {
    const { command, on = "host", ...rest } = typeof entry === "string" ? { command: entry } : entry;
    return { command, on, ...placeCommon(rest, secondsAtMost.verify) };
  });
}

type Common = Pick<z.output<typeof setupCommand>, "timeout" | "secretEnv">;

function placeCommon({ timeout, secretEnv: secrets }: Common, seconds: number) {
  return {
    timeoutSeconds: timeout === undefined ? seconds : durationSeconds(timeout),
    ...(secrets === undefined ? {} : { secretEnv: mapValues(secrets, ({ secret }) => secret) }),
  };
}
