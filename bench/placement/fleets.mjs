/** Fleets and deployments as they could be, from a seed: the same seed gives the same problem on every machine. */
const GiB = 2 ** 30;

/** Kinds of hosts: what accelerators, how many, and how many of them are linked to each other. */
const kinds = [
  { pool: "h100", type: "cuda", capability: "9.0", gib: 80, devices: 8, linked: 8, ramGib: 1024 },
  { pool: "a100", type: "cuda", capability: "8.0", gib: 40, devices: 4, linked: 2, ramGib: 256 },
  { pool: "mi300x", type: "rocm", capability: "gfx942", gib: 192, devices: 8, linked: 4, ramGib: 1536 },
  { pool: "rtx", type: "cuda", capability: "8.9", gib: 24, devices: 2, linked: 1, ramGib: 128 },
  { pool: "l4", type: "cuda", capability: "8.9", gib: 24, devices: 1, linked: 1, ramGib: 64 },
  { pool: "h100", type: "cuda", capability: "9.0", gib: 80, devices: 4, linked: 2, ramGib: 512 },
];
/** Weights and cache of a replica, in GiB. */
const sizes = [1.5, 3, 4.5, 6, 9, 12, 16.5, 19, 22, 31, 38, 47, 65, 78, 110, 141, 165, 235];

/** @param {number} seed */
export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count) => Math.floor(next() * count);
  const shuffle = (values) => {
    const shuffled = [...values];
    for (let place = shuffled.length - 1; place > 0; place -= 1) {
      const other = below(place + 1);
      [shuffled[place], shuffled[other]] = [shuffled[other], shuffled[place]];
    }
    return shuffled;
  };
  return { next, below, chance: (share) => next() < share, pick: (values) => values[below(values.length)], shuffle };
}

/**
 * A fleet with deployments that ask for about `load` of its memory, under rules of every kind.
 *
 * @param {import("./fleets.d.mts").FleetSize} size
 */
export function makeFleet({ seed, devices, load, deployments, priorities = 3, previous = false }) {
  const random = randomFrom(seed);
  const hosts = makeHosts(random, devices);
  const capacity = sum(hosts.flatMap((host) => host.devices.map(({ freeBytes }) => freeBytes)));
  const demands = makeDemands(random, hosts, { wanted: capacity * load, deployments, priorities });
  return { hosts, demands: previous ? placeSome(random, hosts, demands) : demands };
}

/**
 * A fleet that is known to have a place for everything: the deployments are cut out of it, so that `load` of each device
 * is taken.
 *
 * @param {{ seed: number, devices: number, load: number }} size
 */
export function makeFeasibleFleet({ seed, devices, load }) {
  const random = randomFrom(seed);
  const hosts = makeHosts(random, devices).map(({ maxInstances: _, ...host }) => host);
  const demands = hosts.flatMap((host) => cutOut(random, host, load));
  return { hosts, demands: random.shuffle(demands).map((demand, index) => ({ ...demand, deployment: name(index) })) };
}

function makeHosts(random, count) {
  const hosts = [];
  for (let left = count; left > 0;) {
    const fitting = kinds.filter((kind) => kind.devices <= left);
    const kind = random.pick(fitting);
    hosts.push(makeHost(random, hosts.length, kind));
    left -= kind.devices;
  }
  return hosts;
}

function makeHost(random, index, { pool, type, capability, gib, devices, linked, ramGib }) {
  const used = random.chance(0.1) ? random.below(gib / 2) : 0;
  const busy = random.below(devices);
  return {
    name: `host-${String(index).padStart(5, "0")}`,
    labels: { pool, zone: `z${random.below(3)}` },
    ramBytes: Math.floor(ramGib * GiB * (0.6 + random.next() * 0.4)),
    ...(random.chance(0.1) ? { maxInstances: 4 + random.below(20) } : {}),
    models: Array.from({ length: random.below(4) }, () => `model-${random.below(40)}`),
    devices: Array.from({ length: devices }, (_, place) => {
      const total = gib * GiB;
      const others = place === busy && used > 0;
      return {
        id: `gpu-${place}`,
        type,
        capability,
        totalBytes: total,
        freeBytes: total - 512 * 2 ** 20 - (others ? used * GiB : 0),
        ...(linked > 1 ? { linkGroup: Math.floor(place / linked) } : {}),
        pcieGroup: Math.floor(place / 4),
        ...(others ? { hasOthers: true } : {}),
      };
    }),
  };
}

function makeDemands(random, hosts, { wanted, deployments, priorities }) {
  const demands = [];
  const average = deployments === undefined ? undefined : wanted / deployments;
  for (let asked = 0, missed = 0; missed < 50 && demands.length < (deployments ?? Infinity);) {
    const { demand, bytes } = makeDemand(random, hosts, demands.length, { average, priorities });
    const fits = asked + bytes <= wanted;
    missed = fits ? 0 : missed + 1;
    if (!fits) continue;
    asked += bytes;
    demands.push(demand);
  }
  return demands;
}

function makeDemand(random, hosts, index, { average, priorities }) {
  const home = random.pick(hosts);
  const device = home.devices[0];
  const most = device.totalBytes * home.devices.length;
  const fitting = sizes.filter((gib) => gib * GiB < most);
  const replicas = random.chance(0.5) ? 1 : 1 + random.below(4);
  const aim = average === undefined ? undefined : average / replicas / GiB;
  const gib = aim === undefined ? random.pick(fitting) : nearest(fitting, aim * 2 ** (random.next() * 3 - 1.2));
  const own = name(index);
  const options = makeOptions(random, home, gib * (0.9 + random.next() * 0.2));
  if (options.length === 0) return { bytes: Infinity };
  const others = index > 0 && random.chance(0.1) ? [name(random.below(index))] : [];
  const apart = replicas > 1 && random.chance(0.3) ? [own, ...others] : others;
  const demand = {
    deployment: own,
    replicas,
    ...(priorities > 1 ? { priority: random.below(priorities) } : {}),
    hostSelector: makeSelector(random, home),
    ...(apart.length > 0 ? { apartFrom: apart } : {}),
    strategy: random.chance(0.5) ? "spread" : "binpack",
    model: `model-${random.below(40)}`,
    ...(random.chance(0.3) ? { surge: 1 } : {}),
    options,
  };
  return { demand, bytes: replicas * leastBytes(options, device) };
}

function makeSelector(random, { labels }) {
  if (random.chance(0.25)) return { pool: labels.pool };
  if (random.chance(0.15)) return { zone: { notIn: [`z${random.below(3)}`] } };
  if (random.chance(0.1)) return { zone: [labels.zone, `z${random.below(3)}`] };
  return random.chance(0.05) ? { pool: { exists: true }, zone: labels.zone } : {};
}

/** One for each number of devices that a model of this size could have on such a host. */
function makeOptions(random, { devices, ramBytes }, gib) {
  const [{ type, capability, totalBytes }] = devices;
  const ram = Math.floor(Math.min(ramBytes / 8, (1 + random.next() * 12) * GiB));
  const rules = {
    acceleratorType: type,
    ...(type === "cuda" && random.chance(0.2) ? { capability: { atLeast: capability } } : {}),
  };
  const large = gib * GiB > totalBytes / 3;
  const exclusive = random.chance(large ? 0.1 : 0) ? { exclusive: true } : {};
  const share = random.chance(large ? 0.2 : 0.02) ? { share: 0.9 } : {};
  const group = random.chance(0.4) ? { sameGroup: random.chance(0.7) ? "link" : "pcie" } : {};
  const overhead = 0.4 + random.next();
  const options = [1, 2, 4, 8].flatMap((count) => {
    const bytesPerDevice = Math.ceil((gib / count + overhead) * GiB);
    if (count > devices.length || bytesPerDevice > totalBytes * 0.9) return [];
    const together = count > 1 ? group : {};
    return [
      {
        name: `tp${count}`,
        stage: 0,
        devices: count,
        bytesPerDevice,
        ramBytes: ram,
        ...rules,
        ...exclusive,
        ...share,
        ...together,
      },
    ];
  });
  if (random.chance(0.06) && gib > 60)
    options.push({
      name: "two-hosts",
      stage: 0,
      hosts: 2,
      devices: 4,
      bytesPerDevice: Math.ceil((gib / 8 + overhead) * GiB),
      ramBytes: ram,
      oncePerHost: "distributed",
      ...rules,
    });
  if (random.chance(0.1))
    options.push({
      name: "partial",
      stage: 1,
      devices: 1,
      bytesPerDevice: Math.ceil(Math.min(gib / 2, 20) * GiB),
      ramBytes: ram + Math.ceil((gib / 2) * GiB),
      ...rules,
    });
  if (random.chance(0.03))
    options.push({ name: "cpu", stage: 2, devices: 0, bytesPerDevice: 0, ramBytes: ram + Math.ceil(gib * GiB) });
  return options;
}

/** Where some replicas are already: wherever there is room, as somebody without a plan would have put them. */
function placeSome(random, hosts, demands) {
  const free = new Map(hosts.flatMap((host) => host.devices.map((device) => [device, device.freeBytes])));
  return demands.map((demand) => {
    if (demand.apartFrom !== undefined || random.chance(0.3)) return demand;
    const [option] = demand.options;
    if (option.devices === 0 || option.sameGroup !== undefined || option.share !== undefined || option.exclusive)
      return demand;
    const previous = [];
    for (let replica = 0; replica < demand.replicas; replica += 1) {
      const part = random.shuffle(hosts).flatMap((host) => {
        const roomy = host.devices.filter(
          (device) => device.type === option.acceleratorType && free.get(device) >= option.bytesPerDevice,
        );
        return roomy.length < option.devices ? [] : [{ host, devices: random.shuffle(roomy).slice(0, option.devices) }];
      })[0];
      if (part === undefined) continue;
      for (const device of part.devices) free.set(device, free.get(device) - option.bytesPerDevice);
      previous.push({ replica, parts: [{ host: part.host.name, devices: part.devices.map(({ id }) => id) }] });
    }
    return previous.length === 0 ? demand : { ...demand, previous };
  });
}

/** Deployments that fill a host to `load`, each with other numbers of devices beside the one that it was cut for. */
function cutOut(random, host, load) {
  const demands = [];
  const left = host.devices.map(({ freeBytes }) => Math.floor(freeBytes * load));
  for (let width = 1; width * 2 <= host.devices.length; width *= 2) {
    if (!random.chance(0.6)) continue;
    const count = width * 2;
    const first = count * random.below(host.devices.length / count);
    const bytes = Math.floor(Math.min(...left.slice(first, first + count)) * (0.2 + random.next() * 0.6));
    for (let place = first; place < first + count; place += 1) left[place] -= bytes;
    demands.push({ count, bytes });
  }
  for (const room of left)
    for (let rest = room; rest > 2 * GiB;) {
      const bytes = random.chance(0.4) ? rest : Math.floor(rest * (0.2 + random.next() * 0.8));
      rest -= bytes;
      if (bytes > GiB) demands.push({ count: 1, bytes });
    }
  return demands.map(({ count, bytes }) => demandOf(random, host, count, bytes));
}

function demandOf(random, host, count, bytes) {
  const { type, totalBytes } = host.devices[0];
  const options = [1, 2, 4, 8].flatMap((each) => {
    const bytesPerDevice = each === count ? bytes : Math.ceil((bytes * count) / each + 0.3 * GiB);
    return bytesPerDevice > totalBytes || each > 8
      ? []
      : [{ name: `tp${each}`, stage: 0, devices: each, bytesPerDevice, ramBytes: 0, acceleratorType: type }];
  });
  return {
    replicas: 1,
    hostSelector: random.chance(0.4) ? { pool: host.labels.pool } : {},
    strategy: random.chance(0.5) ? "spread" : "binpack",
    options,
  };
}

/** The memory that one replica takes at least, of devices like this one. */
function leastBytes(options, { totalBytes }) {
  const claims = options.map(({ hosts = 1, devices, bytesPerDevice, share, exclusive }) => {
    const each = exclusive ? totalBytes : share === undefined ? bytesPerDevice : totalBytes * share;
    return hosts * devices * each;
  });
  return Math.min(...claims);
}

function nearest(values, aim) {
  return values.reduce((best, value) => (Math.abs(value - aim) < Math.abs(best - aim) ? value : best));
}

function name(index) {
  return `deployment-${String(index).padStart(5, "0")}`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
