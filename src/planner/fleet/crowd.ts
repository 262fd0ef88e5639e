import type { Replica } from "./fleet.js";

/** Some of the replicas, in no order: any of them can be picked, added and removed in no time. */
export class Crowd {
  readonly members: Replica[] = [];
  private readonly places: Int32Array;

  constructor(count: number) {
    this.places = new Int32Array(count).fill(-1);
  }

  set(replica: Replica, isMember: boolean): void {
    const { members, places } = this;
    const place = places[replica.index] ?? -1;
    if (isMember === place >= 0) return;
    if (isMember) {
      places[replica.index] = members.push(replica) - 1;
      return;
    }
    const last = members.pop();
    places[replica.index] = -1;
    if (last === undefined || last === replica) return;
    members[place] = last;
    places[last.index] = place;
  }
}
