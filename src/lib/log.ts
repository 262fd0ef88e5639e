/** What an operation tells while it runs. `current` and `total` are bytes; some things come in parts. */
export type LogEvent =
  | { kind: "step"; subject: string; text: string }
  | { kind: "progress"; subject: string; text: string; current: number; total?: number; parts?: Parts }
  | { kind: "done"; subject: string; text: string; seconds: number }
  | { kind: "warning"; subject: string; text: string };

export interface Parts {
  readonly done: number;
  readonly all: number;
}

/** Where events go. The caller redacts before it sends. */
export type Log = (event: LogEvent) => void;

export const silentLog: Log = () => undefined;
