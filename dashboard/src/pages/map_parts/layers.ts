/** A layered layout: callers first, those they call in the layers behind. */

export interface Call {
  from: string;
  to: string;
}

/**
 * The layer of each node, from 0: behind all its callers. Calls that close a circle count for
 * nothing, so a circle is laid out from where it is entered. Nodes without calls are in layer 0.
 */
export function layersOf(names: string[], calls: Call[]): string[][] {
  const forward = withoutCircles(names, calls);
  const layer = new Map(names.map((name) => [name, 0]));
  // Without circles a path has fewer steps than there are nodes.
  for (let round = 0; round < names.length; round++) {
    let isStill = true;
    for (const { from, to } of forward) {
      const behind = (layer.get(from) ?? 0) + 1;
      if (behind > (layer.get(to) ?? 0)) {
        layer.set(to, behind);
        isStill = false;
      }
    }
    if (isStill) break;
  }
  const layers: string[][] = [];
  for (const name of names) {
    const at = layer.get(name) ?? 0;
    while (layers.length <= at) layers.push([]);
    layers[at]?.push(name);
  }
  return ordered(layers, forward);
}

/** The calls that do not lead back to a node that is on the way: a walk in depth finds them. */
function withoutCircles(names: string[], calls: Call[]): Call[] {
  const called = new Set(calls.filter(({ from, to }) => from !== to).map(({ to }) => to));
  const onTheWay = new Set<string>();
  const done = new Set<string>();
  const kept: Call[] = [];
  const out = new Map<string, Call[]>();
  for (const call of calls) out.set(call.from, [...(out.get(call.from) ?? []), call]);
  const walk = (name: string): void => {
    onTheWay.add(name);
    for (const call of out.get(name) ?? []) {
      if (onTheWay.has(call.to)) continue;
      kept.push(call);
      if (!done.has(call.to)) walk(call.to);
    }
    onTheWay.delete(name);
    done.add(name);
  };
  // From those that nobody calls; then from what only circles reach.
  for (const name of names) if (!called.has(name)) walk(name);
  for (const name of names) if (!done.has(name)) walk(name);
  return kept;
}

const SWEEPS = 4;

/** Each layer by the mean place of the neighbours before it, then behind it: fewer crossings. */
function ordered(layers: string[][], calls: Call[]): string[][] {
  let current = layers;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForward = sweep % 2 === 0;
    const place = new Map(
      current.flatMap((layer) =>
        layer.map((name, at) => [name, (at + 0.5) / layer.length] as const),
      ),
    );
    const middle = (name: string): number => {
      const near = calls
        .filter(({ from, to }) => (isForward ? to : from) === name)
        .map(({ from, to }) => place.get(isForward ? from : to) ?? 0);
      if (near.length === 0) return place.get(name) ?? 0;
      return near.reduce((sum, one) => sum + one, 0) / near.length;
    };
    current = current.map((layer) => layer.toSorted((one, other) => middle(one) - middle(other)));
  }
  return current;
}

export interface Place {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  /** The top left of each node's box. */
  places: Map<string, Place>;
}

export interface Sizes {
  node_width: number;
  node_height: number;
  /** Between layers, and between the nodes of one. */
  gap_along: number;
  gap_across: number;
  /** Layers go down the page, at most so many nodes beside each other; else they go to the right. */
  down?: { most_across: number };
}

/** Where each node stands. Layers are centred; one that is too wide for the page is broken. */
export function placed(layers: string[][], sizes: Sizes): Layout {
  const { node_width, node_height, gap_along, gap_across, down } = sizes;
  const lines = down ? layers.flatMap((layer) => broken(layer, down.most_across)) : layers;
  const [along, across] = down ? [node_height, node_width] : [node_width, node_height];
  const most = Math.max(1, ...lines.map((line) => line.length));
  const breadth = most * across + (most - 1) * gap_across;
  const places = new Map<string, Place>();
  lines.forEach((line, number) => {
    const used = line.length * across + (line.length - 1) * gap_across;
    line.forEach((name, at) => {
      const forth = number * (along + gap_along);
      const aside = (breadth - used) / 2 + at * (across + gap_across);
      places.set(name, down ? { x: aside, y: forth } : { x: forth, y: aside });
    });
  });
  const length = lines.length * along + Math.max(lines.length - 1, 0) * gap_along;
  return {
    width: down ? breadth : length,
    height: down ? length : breadth,
    places,
  };
}

function broken(layer: string[], most: number): string[][] {
  const lines: string[][] = [];
  for (let at = 0; at < layer.length; at += most) lines.push(layer.slice(at, at + most));
  return lines;
}

/** The nearest node in the direction of an arrow key, by the way to go and, half as much, aside. */
export function towards(key: string, from: string, { places }: Layout): string | undefined {
  const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[
    key
  ];
  const here = places.get(from);
  if (!direction || !here) return undefined;
  const [right = 0, lower = 0] = direction;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [name, { x, y }] of places) {
    const forth = (x - here.x) * right + (y - here.y) * lower;
    const aside = Math.abs((x - here.x) * lower) + Math.abs((y - here.y) * right);
    if (forth > 0 && forth + aside / 2 < least) {
      least = forth + aside / 2;
      best = name;
    }
  }
  return best;
}
