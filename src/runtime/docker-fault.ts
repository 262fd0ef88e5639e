/** Why the Docker Engine gave no answer, or what it answered instead of doing what was asked. */
export type DockerReason =
  /** Nothing was sent. The code is the system's, such as `ENOENT`, `EACCES` or `ECONNREFUSED`. */
  | { readonly kind: "unreached"; readonly code: string }
  /** The connection ended before the whole answer was there: what was asked for may have been done or not. */
  | { readonly kind: "lost"; readonly said: string }
  /** It did not answer in time. It may still do what was asked. */
  | { readonly kind: "late"; readonly seconds: number }
  /** It said no: by its status, or later, in the midst of its answer. */
  | { readonly kind: "refused"; readonly status: number | undefined; readonly message: string }
  /** It does not have an API that Berth speaks. */
  | { readonly kind: "tooOld"; readonly engine: string; readonly api: string; readonly oldest: string }
  /** It answered something that the API does not have. */
  | { readonly kind: "unreadable"; readonly said: string };

/** What goes wrong between Berth and an engine, inside of this folder; `docker-failure.ts` tells it to people. */
export class DockerFault extends Error {
  readonly reason: DockerReason;

  constructor(reason: DockerReason, cause?: unknown) {
    super(reason.kind, { cause });
    this.reason = reason;
  }
}
