import { connect } from "node:net";

import { BerthError } from "../lib/errors.js";

const pollSeconds = 1;
const answerSeconds = 5;

/**
 * Notices when the Pulumi engine that started this process is gone: its address no longer accepts connections. The
 * process's parent tells nothing, because a shell script stands between.
 */
export class EngineWatch {
  readonly #address: { host: string; port: number } | undefined;
  readonly #controller = new AbortController();

  /** @param address `host:port`, as the engine gives it to its plugins; undefined watches nothing */
  constructor(address: string | undefined) {
    const [, host, port] = /^(.*):(\d+)$/.exec(address ?? "") ?? [];
    this.#address = host === undefined || port === undefined ? undefined : { host, port: Number(port) };
  }

  /** Aborts, with the error `engine-gone`, when the engine is gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
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

  /** Looks every second, without keeping the process alive. */
  start(): void {
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
