import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import type { MapRow, ServiceRow } from "../../api";
import { PageLink, useIsNarrow } from "../../components";
import { DEGRADED_FROM, duration, FAILING_FROM, percent, rate } from "../../format";
import { curveOf } from "./curves";
import { type Layout, layersOf, type Place, placed, type Sizes, towards } from "./layers";
import { failed, type MapNode, nodesOf, thickness_px } from "./nodes";

const WIDE: Sizes = { node_width: 190, node_height: 66, gap_along: 150, gap_across: 26 };
const NARROW: Sizes = {
  node_width: 138, // lines go beside the boxes, too
  node_height: 66,
  gap_along: 62,
  gap_across: 14,
  down: { most_across: 2 },
};

// Names of more than a line have two.
const CHARACTER_PX = 8;
const BESIDE_NAME_PX = 20;
const LINE_PX = 20;

interface Props {
  calls: MapRow[];
  services: ServiceRow[];
}

/** Services in layers, callers first; lines are calls. */
export function Graph({ calls, services }: Props) {
  const isNarrow = useIsNarrow();
  const [near, setNear] = useState("");
  const place = useRef<HTMLDivElement>(null);
  const nodes = useMemo(() => nodesOf(calls, services), [calls, services]);
  const sizes = useMemo(() => roomFor(nodes, isNarrow ? NARROW : WIDE), [nodes, isNarrow]);
  const layout = useMemo(() => {
    const names = nodes.map(({ name }) => name);
    const lines = calls.map(({ service, peer }) => ({ from: service, to: peer }));
    return placed(layersOf(names, lines), sizes);
  }, [nodes, calls, sizes]);

  const move = (event: KeyboardEvent) => {
    const next = towards(event.key, near, layout);
    if (!next) return;
    event.preventDefault();
    const links = place.current?.querySelectorAll<HTMLElement>("[data-node]") ?? [];
    [...links]
      .find((link) => link.dataset.node === next)
      ?.querySelector("a")
      ?.focus();
  };

  return (
    <section aria-label="Map of the services" className="overflow-auto" tabIndex={0}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the arrows go between the links in it */}
      <div
        ref={place}
        data-testid="map"
        className="relative mx-auto"
        style={{ width: layout.width, height: layout.height }}
        onKeyDown={move}
      >
        <Lines calls={calls} layout={layout} sizes={sizes} near={near} isNarrow={isNarrow} />
        {nodes.map((node) => (
          <Node
            key={node.name}
            node={node}
            place={layout.places.get(node.name) ?? { x: 0, y: 0 }}
            sizes={sizes}
            setNear={setNear}
          />
        ))}
      </div>
    </section>
  );
}

function roomFor(nodes: MapNode[], sizes: Sizes): Sizes {
  const line_px = sizes.node_width - BESIDE_NAME_PX;
  const isLong = nodes.some(({ name }) => name.length * CHARACTER_PX > line_px);
  return isLong ? { ...sizes, node_height: sizes.node_height + LINE_PX } : sizes;
}

function colourOf(share: number): string {
  if (share >= FAILING_FROM) return "text-bad";
  return share >= DEGRADED_FROM ? "text-warn" : "text-faint";
}

interface NodeProps {
  node: MapNode;
  place: Place;
  sizes: Sizes;
  setNear: (name: string) => void;
}

function Node({ node, place, sizes, setNear }: NodeProps) {
  const { name, kind, service, called } = node;
  // Where nobody tells, nothing is said.
  const share = (service ? service.error_ratio : failed(called)) ?? 0;
  const border =
    share >= FAILING_FROM ? "border-bad" : share >= DEGRADED_FROM ? "border-warn" : "border-line";
  const isService = kind === "service";
  return (
    <div
      data-node={name}
      role="group"
      aria-label={name}
      className={`absolute overflow-hidden rounded-lg border ${border} ${isService ? "border-2 bg-panel" : "border-dashed bg-raised"} px-2 py-1`}
      style={{ left: place.x, top: place.y, width: sizes.node_width, height: sizes.node_height }}
      onPointerEnter={() => setNear(name)}
      onPointerLeave={() => setNear("")}
      onFocus={() => setNear(name)}
      onBlur={() => setNear("")}
    >
      <p className="wrap-anywhere line-clamp-2 font-medium" title={name}>
        {isService ? (
          <PageLink to="/endpoints" search={{ service: name }}>
            {name}
          </PageLink>
        ) : (
          <PageLink to="/traces" search={{ text: name }}>
            {name}
          </PageLink>
        )}
      </p>
      <p className="truncate text-xs tabular-nums">
        {rate(service ? service.rate : called.rate)}
        {share > 0 && (
          <span className={`font-medium ${colourOf(share)}`}>
            {" · "}
            {percent(share)}
            <span className="sr-only sm:not-sr-only"> failed</span>
          </span>
        )}
      </p>
      <p className="truncate text-faint text-xs">
        {service ? `p95 ${duration(service.p95_ms)}` : kind}
      </p>
    </div>
  );
}

interface LinesProps {
  calls: MapRow[];
  layout: Layout;
  sizes: Sizes;
  near: string;
  isNarrow: boolean;
}

/** The calls, as curves with an arrow; the table below says the same in words. */
function Lines({ calls, layout, sizes, near, isNarrow }: LinesProps) {
  const most = Math.max(0, ...calls.map((row) => row.rate));
  return (
    <svg
      aria-hidden="true"
      className="absolute inset-0 overflow-visible"
      width={layout.width}
      height={layout.height}
    >
      <defs>
        <marker
          id="arrow"
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0 0 8 4 0 8z" fill="context-stroke" />
        </marker>
      </defs>
      {calls.map((row) => {
        const from = layout.places.get(row.service);
        const to = layout.places.get(row.peer);
        if (!from || !to || row.service === row.peer) return null;
        const curve = curveOf(from, to, sizes, layout);
        const share = failed(row) ?? 0;
        const isNear = near === row.service || near === row.peer;
        const opacity = near === "" || isNear ? 1 : 0.15;
        return (
          <g key={`${row.service} ${row.peer}`} className={colourOf(share)} opacity={opacity}>
            <path
              d={curve.path}
              fill="none"
              stroke="currentColor"
              strokeWidth={thickness_px(row.rate, most)}
              markerEnd="url(#arrow)"
            />
            {(!isNarrow || isNear) && (
              <text
                x={curve.label.x}
                y={curve.label.y - 4}
                textAnchor="middle"
                className="fill-ink stroke-panel text-[11px]"
                strokeWidth="4"
                paintOrder="stroke"
              >
                {rate(row.rate)}
                {share > 0 && `, ${percent(share)} failed`}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}
