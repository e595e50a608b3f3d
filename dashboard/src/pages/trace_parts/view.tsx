import { useEffect, useMemo, useRef, useState } from "react";
import { type Trace, useChangeSearch, useSearchParameter } from "../../api";
import { Panel } from "../../components";
import { coloursOf } from "./colours";
import { criticalPath, timeOnPath } from "./critical_path";
import { Details } from "./details";
import { above, matches, rowsOf } from "./rows";
import { Summary } from "./summary";
import { Tools } from "./tools";
import { idsOf, placesOf, sameRow, treeOf } from "./tree";
import { useZoom } from "./use_zoom";
import { Waterfall } from "./waterfall";
import { reaching } from "./zoom";
import { ZoomTools } from "./zoom_tools";

/** A trace: its facts, the waterfall, and the span that is chosen, which stands in the address. */
export function TraceView({ trace }: { trace: Trace }) {
  const [spanId, setSpan] = useSearchParameter("span");
  const [text] = useSearchParameter("find");
  const change = useChangeSearch();
  // By their ids: a young trace grows, and its rows are numbered anew.
  const [closedIds, setClosedIds] = useState<ReadonlySet<string>>(new Set());
  const [withLogs, setWithLogs] = useState(true);
  const [withPath, setWithPath] = useState(true);
  const details = useRef<HTMLDivElement>(null);
  const wasChosen = useRef(false);

  const tree = useMemo(() => treeOf(trace.spans, trace.logs), [trace]);
  const closed = useMemo(() => placesOf(tree, closedIds), [tree, closedIds]);
  const setClosed = (places: ReadonlySet<number>) => setClosedIds(idsOf(tree, places));
  const rows = useMemo(() => rowsOf(tree, closed, withLogs), [tree, closed, withLogs]);
  const path = useMemo(() => criticalPath(tree), [tree]);
  const colours = useMemo(() => coloursOf(tree.services), [tree]);
  const found = useMemo(() => matches(tree, text), [tree, text]);
  const foundSet = useMemo(() => new Set(found), [found]);
  const selected = tree.nodes.findIndex(({ span }) => span.span_id === spanId);
  const [row, setRow] = useState({ tree, key: selected === -1 ? "s0" : `s${selected}` });
  const active = useMemo(() => sameRow(row.key, row.tree, tree), [row, tree]);
  const setActive = (key: string) => setRow({ tree, key });
  const node = tree.nodes[selected];
  const zoom = useZoom(tree.duration_ms);

  const select = (at: number) => {
    wasChosen.current = true;
    setSpan(tree.nodes[at]?.span.span_id ?? "");
  };
  /** Show a span, wherever it is hidden. */
  const reach = (at: number) => {
    const hiding = above(tree, at);
    if (hiding.some((one) => closed.has(one))) {
      setClosed(new Set([...closed].filter((one) => !hiding.includes(one))));
    }
    setActive(`s${at}`);
    select(at);
    const reached = tree.nodes[at];
    if (reached && zoom.isZoomed) {
      zoom.setView(reaching(zoom.view, reached.from_ms, reached.to_ms, tree.duration_ms));
    }
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: another span was chosen
  useEffect(() => {
    // On a phone it stands below the waterfall. Not when the page is opened: it begins at its top.
    const isBelow = !window.matchMedia("(min-width: 1280px)").matches;
    if (wasChosen.current && isBelow) details.current?.scrollIntoView({ block: "start" });
  }, [spanId]);

  return (
    <>
      <Summary trace={trace} tree={tree} colours={colours} />
      <div
        className={node ? "grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]" : ""}
      >
        <Panel
          title="Spans"
          aside={<span className="hidden md:inline">arrows, Home, End, Enter; + − 0 Z zoom</span>}
        >
          <Tools
            tree={tree}
            found={found}
            text={text}
            setText={(find) => change({ find }, true)}
            selected={selected}
            reach={reach}
            setClosed={setClosed}
            logs={trace.logs.length}
            shown={{ withLogs, setWithLogs, withPath, setWithPath }}
          />
          <ZoomTools zoom={zoom} duration_ms={tree.duration_ms} />
          <Waterfall
            tree={tree}
            rows={rows}
            closed={closed}
            setClosed={setClosed}
            withLogs={withLogs}
            path={withPath ? path : NO_PATH}
            colours={colours}
            found={foundSet}
            active={active}
            setActive={setActive}
            selected={selected}
            select={select}
            zoom={zoom}
          />
        </Panel>
        {node && (
          <div ref={details} className="min-w-0 scroll-mt-28">
            <Details
              key={node.span.span_id}
              trace={trace}
              node={node}
              onPath_ms={timeOnPath(path.get(selected))}
              close={() => setSpan("")}
            />
          </div>
        )}
      </div>
    </>
  );
}

const NO_PATH = new Map<number, never[]>();
