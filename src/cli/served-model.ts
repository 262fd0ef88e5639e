import { describeAnswer, requestTo, type ProbeTarget, type SendRequest } from "../health/probe.js";
import type { HostReference } from "../host/host.js";
import { sendTo } from "../host/http.js";
import { BerthError } from "../lib/errors.js";
import { createRedact, type Redact } from "../lib/redact.js";
import { findPlainSecret, secretMissing } from "../lock/secret.js";
import { planClient, type ClientChoice, type ClientKey, type ClientPlan } from "../planner/client-choice.js";
import type { Contexts } from "../resources/context.js";
import { resourceKinds } from "../resources/kinds.js";
import { migrate, readInputs } from "../resources/migrate.js";
import { openContexts } from "./contexts.js";
import { expectEnvironmentLock } from "./environment-lock.js";
import { askedReplica } from "./live-replica.js";
import { readState, type StackState, type StateResource } from "./state.js";
import { chooseStack, openPulumi, type Workplace } from "./workplace.js";

export interface ServedChoice extends ClientChoice {
  readonly stack?: string;
  /** An address to ask instead, from this machine. */
  readonly url?: string;
}

/** Something that answers for a model, with what asks it. */
export interface Server {
  /** For people, with the way there: `the gateway on gpu-1, over ssh`. */
  readonly name: string;
  readonly target: ProbeTarget;
  readonly send: SendRequest;
  /** Takes its secrets out of a text. */
  readonly redact: Redact;
}

/** A model of a stack as clients find it. */
export interface ServedModel extends Pick<ClientPlan, "deployment" | "model" | "category"> {
  readonly stack: string;
  readonly by: "gateway" | "instances" | "url";
  readonly servers: readonly [Server, ...Server[]];
}

const healthSeconds = 5;

/**
 * Finds what answers for a model: the stack's gateway, on the first of its hosts where it answers, else the instances
 * that answer. Asked is from their hosts, by the state.
 *
 * @param refuse why a category of models cannot be asked what is meant; undefined when it can
 * @throws BerthError `usage` when it is not clear what is meant, `request-failed` when nothing answers
 */
export async function findServed(
  workplace: Workplace,
  choice: ServedChoice,
  refuse: (category: ClientPlan["category"]) => string | undefined,
  signal: AbortSignal,
): Promise<ServedModel> {
  const stack = await chooseStack(workplace, choice.stack);
  const plan = planClient(await expectEnvironmentLock(workplace.root, stack), choice);
  const { deployment, model, category } = plan;
  const refusal = refuse(category);
  if (refusal !== undefined) throw new BerthError("usage", { where: `deployment ${deployment}`, what: refusal });
  const state = await readState(await openPulumi(workplace), stack);
  const search = new Search(workplace, state?.resources ?? [], openContexts(workplace, signal));
  const found = { stack, deployment, model, category };
  if (choice.url !== undefined)
    return { ...found, by: "url", servers: [await search.at(readBase(choice.url), choice.url, plan)] };
  return plan.by === "gateway"
    ? { ...found, by: "gateway", servers: [await search.gateway(plan)] }
    : { ...found, by: "instances", servers: await search.instances(plan) };
}

class Search {
  constructor(
    private readonly workplace: Workplace,
    private readonly resources: StackState["resources"],
    private readonly contexts: Contexts,
  ) {}

  /** On the first of its hosts where it answers: each of them serves all models. */
  async gateway(plan: Extract<ClientPlan, { by: "gateway" }>): Promise<Server> {
    if (plan.tls) {
      throw new BerthError("usage", {
        what: "the gateway speaks TLS, and only you know the name of its certificate",
        hint: "name it: --url https://NAME:PORT; or ask the instances: --direct",
      });
    }
    const problems: string[] = [];
    for (const on of plan.hosts) {
      const outputs = this.#find("ModelGateway", ({ host }) => (host as HostReference | undefined)?.name === on);
      const server = outputs === undefined ? undefined : await this.#gatewayServer(outputs, plan);
      const problem = server === undefined ? "is not deployed" : await whyDown(server);
      if (server !== undefined && problem === undefined) return server;
      problems.push(`the gateway on ${on} ${problem ?? ""}`);
    }
    throw nothingAnswers(plan.deployment, problems);
  }

  async instances({ deployment, instances: names }: ClientPlan): Promise<[Server, ...Server[]]> {
    const looked = await Promise.all(
      names.map(async (name) => {
        const outputs = this.#find("Instance", (each) => each.name === name);
        if (outputs === undefined) return { problem: `${name} is not deployed` };
        const server = { name: `${name} ${wayTo(outputs)}`, ...askedReplica(outputs, this.contexts) };
        const problem = await whyDown(server);
        return problem === undefined ? { server } : { problem: `${name} ${problem}` };
      }),
    );
    const [first, ...others] = looked.flatMap(({ server }) => (server === undefined ? [] : [server]));
    if (first !== undefined) return [first, ...others];
    throw nothingAnswers(
      deployment,
      looked.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
    );
  }

  /** Whatever answers at an address: a gateway, behind whatever else, or an instance. */
  async at(base: string, shown: string, plan: ClientPlan): Promise<Server> {
    const apiKey = plan.by === "gateway" ? await this.#keyOf(plan.key, {}) : this.#engineKey(plan);
    const target = { address: "", port: 0, healthPath: "/health", model: plan.model, category: plan.category, apiKey };
    return {
      ...{ name: `${shown}, from this machine`, target, redact: createRedact(apiKey === undefined ? [] : [apiKey]) },
      send: ({ address: _address, port: _port, ...request }) => sendTo(base, request),
    };
  }

  async #gatewayServer(outputs: StateResource["outputs"], plan: Extract<ClientPlan, { by: "gateway" }>) {
    const kind = resourceKinds.ModelGateway;
    const inputs = readInputs(kind, migrate(kind.kind, outputs));
    const { model, category } = plan;
    const apiKey = await this.#keyOf(plan.key, inputs.clientKeys);
    const redact = createRedact([...kind.secrets(inputs), ...(apiKey === undefined ? [] : [apiKey])]);
    const { host } = this.contexts.of(inputs.host, redact);
    const send: SendRequest = (request) => host.request(request);
    const target: ProbeTarget = { ...inputs.listen, healthPath: "/health", model, category, apiKey };
    return { name: `the gateway ${wayTo(outputs)}`, target, send, redact };
  }

  /** As it was deployed, else as it is found when it is deployed. */
  async #keyOf(key: ClientKey | undefined, deployed: Readonly<Record<string, string>>): Promise<string | undefined> {
    if (key === undefined) return undefined;
    const recorded = Object.keys(deployed).length > 0 ? deployed : this.#deployedKeys();
    const { environment, root: projectRoot } = this.workplace;
    const value = recorded[key.name] ?? (await findPlainSecret(key.secret, { environment, projectRoot }));
    if (value === undefined) throw secretMissing(key.secret);
    return value;
  }

  #deployedKeys(): Readonly<Record<string, string>> {
    const outputs = this.#find("ModelGateway", () => true);
    const kind = resourceKinds.ModelGateway;
    return outputs === undefined ? {} : readInputs(kind, migrate(kind.kind, outputs)).clientKeys;
  }

  #engineKey({ instances }: ClientPlan): string | undefined {
    const outputs = this.#find("Instance", ({ name }) => instances.includes(String(name)));
    return outputs === undefined ? undefined : askedReplica(outputs, this.contexts).target.apiKey;
  }

  #find(kind: string, fits: (outputs: StateResource["outputs"]) => boolean): StateResource["outputs"] | undefined {
    return this.resources.find((each) => each.kind === kind && each.leaving !== true && fits(each.outputs))?.outputs;
  }
}

/** Where it is, and how it is asked. */
function wayTo(outputs: StateResource["outputs"]): string {
  const { name, connection } = outputs.host as HostReference;
  return `on ${name}, ${connection === "ssh" ? "over ssh" : "from this machine"}`;
}

/** Undefined when it answers. */
async function whyDown({ target, send, redact }: Server): Promise<string | undefined> {
  try {
    const health = { method: "GET", path: target.healthPath, timeoutSeconds: healthSeconds } as const;
    const answer = await send({ ...requestTo(target), ...health });
    const isUp = answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
    return isUp ? undefined : `does not answer: ${redact(describeAnswer(answer))}`;
  } catch (error) {
    if (!(error instanceof BerthError) || error.code === "interrupted") throw error;
    return `cannot be asked: ${redact(error.parts.what)}`;
  }
}

function nothingAnswers(deployment: string, problems: readonly string[]): BerthError {
  return new BerthError("request-failed", {
    where: `deployment ${deployment}`,
    what: "nothing answers for it",
    hint: "look at `berth status`",
    detail: problems.join("\n"),
  });
}

/** The part of an address before OpenAI's paths. */
function readBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ["http:", "https:"].includes(url.protocol) && url.username === "" && url.search === "")
    return `${url.origin}${url.pathname.replace(/\/(?:v1\/?)?$/, "")}`;
  throw new BerthError("usage", {
    what: "the address to ask is none",
    got: text,
    expected: "https://NAME:PORT, without a login",
  });
}
