/** What `berth status` tells, as node_exporter's textfile collector reads it. Pure. */

/** What is told of an instance. */
export interface WatchedInstance {
  readonly instance: string;
  readonly deployment?: string;
  readonly model?: string;
  readonly host: string;
  readonly desired: string | undefined;
  readonly deployed: string | undefined;
  readonly health: string;
  readonly drift: readonly string[];
}

/** What is told of a stack. */
export interface WatchedStack {
  readonly stack: string;
  readonly stale: string | undefined;
  readonly rows: readonly WatchedInstance[];
  readonly otherDrift: readonly string[];
  readonly pendingOperations: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** @param at when it was looked */
export function formatMetrics(status: WatchedStack, at: Date): string {
  const { stack, rows, otherDrift, stale, pendingOperations } = status;
  const ofRows = (name: string, help: string, value: (row: WatchedInstance) => boolean): Family => ({
    name: `berth_instance_${name}`,
    help,
    samples: rows.map((row) => ({ labels: labelsOf(stack, row), value: Number(value(row)) })),
  });
  const ofStack = (name: string, help: string, value: number): Family => ({
    name: `berth_${name}`,
    help,
    samples: [{ labels: { stack }, value }],
  });
  const families = [
    ofRows("deployed", "Whether the state has the instance.", ({ deployed }) => deployed !== undefined),
    ofRows("wanted", "Whether the lock wants the instance.", ({ desired }) => desired !== undefined),
    ofRows("reachable", "Whether the host of the instance answered.", isReachable),
    ofRows("healthy", "Whether the instance answered as it should.", isHealthy),
    ofRows(
      "drifted",
      "Whether the instance is not as the state says.",
      (row) => isReachable(row) && row.drift.length > 0,
    ),
    ofStack("drifted_resources", "Findings of drift in what instances stand on.", otherDrift.length),
    ofStack("lock_stale", "Whether the lock does not hold for the stack file.", Number(stale !== undefined)),
    ofStack("pending_operations", "Operations of the state that have begun and not ended.", pendingOperations),
    ofStack("status_timestamp_seconds", "When it was looked.", Math.floor(at.getTime() / 1000)),
  ];
  return families.map(formatFamily).join("\n");
}

/** Of an instance that is not deployed, no host is asked: it is lost by `deployed`. */
function isReachable({ health }: WatchedInstance): boolean {
  return health !== "unknown";
}

function isHealthy({ health }: WatchedInstance): boolean {
  return health === "answered" || health === "reachable";
}

function labelsOf(
  stack: string,
  { instance, deployment = "", host, model = "" }: WatchedInstance,
): Record<string, string> {
  return { stack, deployment, instance, host, model };
}

function formatFamily({ name, help, samples }: Family): string {
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
    return `${name}{${pairs.join(",")}} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines].join("\n");
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
