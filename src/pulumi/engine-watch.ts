import { connect } from "node:net";

import { BerthError } from "../lib/errors.js";
import { onCancel } from "./engine-cancel.js";

const pollSeconds = 1;
const answerSeconds = 5;

/**
 * Notices when somebody interrupts the Pulumi engine that started this process, and when it is gone: its address no
 * longer accepts connections. The process's parent tells nothing, because a shell script stands between.
 */
export class EngineWatch {
  readonly #address: { host: string; port: number } | undefined;
  readonly #controller = new AbortController();
  readonly #interrupter = new AbortController();

  /** @param address `host:port`, as the engine gives it to its plugins; undefined watches nothing */
  constructor(address: string | undefined) {
    const [, host, port] = /^(.*):(\d+)$/.exec(address ?? "") ?? [];
    this.#address = host === undefined || port === undefined ? undefined : { host, port: Number(port) };
  }

  /** Aborts, with the error `engine-gone`, when the engine is gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Aborts, with the error `interrupted`, when the engine asks its plugins to come to an end, and waits for them. */
  get interrupted(): AbortSignal {
    return this.#interrupter.signal;
  }

  /** Looks now. */
  async assertAlive(): Promise<void> {
    this.#controller.signal.throwIfAborted();
    if (this.#address === undefined || (await accepts(this.#address))) return;
    this.#controller.abort(
      new BerthError("engine-gone", {
        what: "the Pulumi engine that asked for this is gone; stopped at a journal step",
        hint: "run `berth recover`, then `pulumi up`",
      }),
    );
    this.#controller.signal.throwIfAborted();
  }

  /** Looks every second, without keeping the process alive, and listens for an interruption. */
  start(): void {
    onCancel(() => {
      this.#interrupter.abort(
        new BerthError("interrupted", {
          what: "interrupted before it was done",
          hint: "run `pulumi up` again when it is to go on",
        }),
      );
    });
    const timer = setInterval(() => {
      this.assertAlive().catch(() => {
        clearInterval(timer);
      });
    }, pollSeconds * 1000);
    timer.unref();
  }
}

function accepts(address: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: answerSeconds * 1000 });
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once("connect", () => settle(true));
    // An engine that is slow to accept is alive; one that is gone refuses.
    socket.once("timeout", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
