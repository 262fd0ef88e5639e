/** How many values are told apart. */
const steps = 256;

/**
 * Numbered entries in the order of a value that changes, roughly: those of one bucket are in no order. Finding the next
 * takes the same time for ten entries and for ten thousand.
 */
export class Buckets {
  private readonly lists: number[][] = Array.from({ length: steps }, () => []);
  private readonly bucketOf: Int16Array;
  private readonly place: Int32Array;

  constructor(
    count: number,
    private readonly top: number,
  ) {
    this.bucketOf = new Int16Array(count).fill(-1);
    this.place = new Int32Array(count);
  }

  /** A value below 0 is nowhere. */
  set(entry: number, value: number): void {
    const bucket = value < 0 ? -1 : this.step(value);
    const before = this.bucketOf[entry] ?? -1;
    if (bucket === before) return;
    const left = this.lists[before];
    if (left !== undefined) {
      const last = left.pop() ?? entry;
      const place = this.place[entry] ?? 0;
      if (last !== entry) {
        left[place] = last;
        this.place[last] = place;
      }
    }
    this.bucketOf[entry] = bucket;
    const joined = this.lists[bucket];
    if (joined !== undefined) this.place[entry] = joined.push(entry) - 1;
  }

  /** From the least value that may be `least` upwards, until `visit` says that it is enough. */
  ascend(least: number, visit: (entry: number) => boolean): void {
    for (let bucket = this.step(least); bucket < steps; bucket += 1)
      for (const entry of this.lists[bucket] ?? []) if (visit(entry)) return;
  }

  /** From the greatest value downwards, as long as it may be `least`. */
  descend(least: number, visit: (entry: number) => boolean): void {
    const lowest = this.step(least);
    for (let bucket = steps - 1; bucket >= lowest; bucket -= 1)
      for (const entry of this.lists[bucket] ?? []) if (visit(entry)) return;
  }

  private step(value: number): number {
    return this.top <= 0 ? 0 : Math.min(steps - 1, Math.floor((value / this.top) * (steps - 1)));
  }
}
