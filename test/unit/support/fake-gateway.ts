import type { Asked, Gateway } from "../../../src/runtime/gateway.js";
import type { Listener } from "../../../src/runtime/haproxy-configuration.js";

/** A gateway in memory. */
export class FakeGateway implements Partial<Gateway> {
  /** What it was told, by instance. */
  readonly served = new Map<string, Listener>();

  listeners(): Promise<Listener[]> {
    return Promise.resolve([...this.served.values()]);
  }

  activePort({ instance }: Asked): Promise<number | undefined> {
    return Promise.resolve(this.served.get(instance)?.active);
  }

  switchTo(listener: Listener): Promise<void> {
    this.served.set(listener.instance, listener);
    return Promise.resolve();
  }

  close(instance: string): Promise<void> {
    this.served.delete(instance);
    return Promise.resolve();
  }

  drain(): Promise<number> {
    return Promise.resolve(0);
  }
}
