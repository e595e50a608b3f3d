import { useEffect } from "react";
import type { Trace } from "../../api";
import { MaskedText, PageLink, Time } from "../../components";
import { count, counted, duration } from "../../format";
import { CopyButton } from "./copy_button";
import { mainRoot, type Tree } from "./tree";

interface Props {
  trace: Trace;
  tree: Tree;
  colours: Map<string, number>;
}

/** What the trace is, in two lines, and what to do with it. */
export function Summary({ trace, tree, colours }: Props) {
  const root = tree.nodes[mainRoot(tree)];
  const title = `${root?.span.name || "Trace"} · ${root?.span.service ?? ""} · Clarity OTel`;
  useEffect(() => {
    document.title = title;
  }, [title]);
  const correlation = tree.nodes
    .map(({ span }) => span.attributes["correlation.id"])
    .find((id) => typeof id === "string" && id !== "");
  return (
    <section className="panel space-y-2" aria-label="Trace">
      <h2 className="wrap-anywhere line-clamp-3 font-semibold text-base" title={root?.span.name}>
        <span className="text-faint">{root?.span.service}</span>{" "}
        <MaskedText text={root?.span.name || "(no name)"} />
      </h2>
      <p className="flex flex-wrap gap-x-4 gap-y-1">
        <span className="text-faint">{root && <Time ns={root.span.start_ns} />}</span>
        <span className="font-medium tabular-nums">{duration(tree.duration_ms)}</span>
        <span>{counted(trace.spans.length, "span")}</span>
        <span className={tree.errors ? "font-medium text-bad" : "text-faint"}>
          {tree.errors ? `${count(tree.errors)} with errors` : "no errors"}
        </span>
        {trace.logs_missing ? (
          <span className="wrap-anywhere text-warn">No logs: {trace.logs_missing}</span>
        ) : (
          <span>{counted(trace.logs.length, "log")}</span>
        )}
        <span className="wrap-anywhere">
          <span className="text-faint">id</span> <code>{trace.trace_id}</code>
        </span>
        {typeof correlation === "string" && (
          <span className="wrap-anywhere">
            <span className="text-faint">correlation id</span>{" "}
            <PageLink to="/traces" search={{ correlation }}>
              <MaskedText text={correlation} />
            </PageLink>
          </span>
        )}
      </p>
      <ul className="flex flex-wrap gap-x-4" aria-label="Services">
        {tree.services.map((service) => (
          <li key={service} className="wrap-anywhere">
            <span aria-hidden="true" className={`text-series-${colours.get(service) ?? 6}`}>
              ▮
            </span>{" "}
            {service}
          </li>
        ))}
      </ul>
      {tree.orphans > 0 && (
        <p className="text-warn">
          {count(tree.orphans)} {tree.orphans === 1 ? "span names a parent" : "spans name parents"}{" "}
          that are not here: not arrived yet, not sampled, or not sent.
        </p>
      )}
      {trace.truncated && (
        <p className="text-warn">The trace has more spans: the first 20,000 are shown.</p>
      )}
      <div className="flex flex-wrap gap-2">
        <CopyButton label="Copy link to the trace" text={() => window.location.href} />
        <a
          className="control inline-block text-ink no-underline"
          href={`/api/traces/${trace.trace_id}`}
          download={`trace-${trace.trace_id}.json`}
        >
          Download JSON
        </a>
      </div>
    </section>
  );
}
