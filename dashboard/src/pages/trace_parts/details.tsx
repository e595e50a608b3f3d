import type { ReactNode } from "react";
import type { LogRow, SpanEvent, SpanLink, Trace } from "../../api";
import { Duration, MaskedText, Severity, Time, TraceLink } from "../../components";
import { duration, fromMoment } from "../../format";
import { CopyButton } from "./copy_button";
import { curlOf } from "./curl";
import type { SpanNode } from "./tree";
import { AttributeList, textOf } from "./values";

const KINDS = ["unset", "internal", "server", "client", "producer", "consumer"];
const STATUSES = ["unset", "ok", "error"];

interface Props {
  trace: Trace;
  node: SpanNode;
  /** Milliseconds of the critical path that are this span's own. */
  onPath_ms: number;
  close: () => void;
}

/** All that is known of one span. */
export function Details({ trace, node, onPath_ms, close }: Props) {
  const { span } = node;
  const curl = curlOf(span);
  const exceptions = span.events.filter(({ name }) => name === "exception");
  const events = span.events.filter(({ name }) => name !== "exception");
  return (
    <section className="panel scroll-mt-24 space-y-4" aria-label="Span" data-testid="details">
      <div className="flex items-start justify-between gap-2">
        <h2 className="wrap-anywhere min-w-0 font-semibold text-base">
          {span.name ? <MaskedText text={span.name} /> : "(no name)"}
        </h2>
        <button type="button" className="control" onClick={close} aria-label="Close the span">
          ✕
        </button>
      </div>
      <div className="flex flex-wrap gap-2">
        {curl && <CopyButton label="Copy as curl" text={() => curl} />}
        <CopyButton label="Copy link" text={() => window.location.href} />
      </div>
      <dl className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-x-3 gap-y-1">
        <Fact name="Service">{span.service}</Fact>
        <Fact name="Kind">{KINDS[span.kind] ?? String(span.kind)}</Fact>
        <Fact name="Status">
          <span className={node.isError ? "font-medium text-bad" : ""}>
            {STATUSES[span.status] ?? String(span.status)}
          </span>{" "}
          <MaskedText text={span.status_message} />
        </Fact>
        <Fact name="Duration">
          <Duration ms={span.duration_ms} />
          {onPath_ms > 0 && (
            <span className="text-faint"> ({duration(onPath_ms)} on the critical path)</span>
          )}
        </Fact>
        <Fact name="Start">
          <Time ns={span.start_ns} />
          <span className="text-faint"> ({fromMoment(node.from_ms)})</span>
        </Fact>
        <Fact name="Span id">
          <code>{span.span_id}</code>
        </Fact>
        {span.parent_id && (
          <Fact name="Parent id">
            <code>{span.parent_id}</code>
            {node.isOrphan && <span className="text-warn"> (not in this trace)</span>}
            {node.isCyclic && <span className="text-warn"> (its own descendant)</span>}
          </Fact>
        )}
        {span.scope && <Fact name="Scope">{span.scope}</Fact>}
      </dl>
      {exceptions.map((event, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a span's events never change places
        <Exception key={at} event={event} />
      ))}
      <Part title="Attributes" count={Object.keys(span.attributes).length}>
        <AttributeList attributes={span.attributes} label="Attributes" isSearched />
      </Part>
      {node.logs.length > 0 && (
        <Part title="Logs" count={node.logs.length}>
          <Logs logs={node.logs} start_ns={span.start_ns} />
        </Part>
      )}
      {events.length > 0 && (
        <Part title="Events" count={events.length}>
          <Events events={events} start_ns={span.start_ns} />
        </Part>
      )}
      {span.links.length > 0 && (
        <Part title="Links" count={span.links.length}>
          <Links links={span.links} />
        </Part>
      )}
      <Part title="Resource" isClosed>
        <AttributeList
          attributes={trace.resources[span.resource_id] ?? {}}
          label="Resource attributes"
        />
      </Part>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="wrap-anywhere min-w-0">{children}</dd>
    </>
  );
}

interface PartProps {
  title: string;
  count?: number;
  isClosed?: boolean;
  children: ReactNode;
}

function Part({ title, count, isClosed = false, children }: PartProps) {
  return (
    <details open={!isClosed}>
      <summary className="mb-1 font-medium">
        {title} {count !== undefined && <span className="text-faint">{count}</span>}
      </summary>
      {children}
    </details>
  );
}

function Exception({ event }: { event: SpanEvent }) {
  const {
    "exception.type": type = "exception",
    "exception.message": message = "",
    "exception.stacktrace": stack = "",
    ...others
  } = event.attributes ?? {};
  return (
    <div className="rounded-md border border-bad p-3" data-testid="exception">
      <h3 className="wrap-anywhere font-medium">
        <span className="text-bad">{textOf(type)}</span>: <MaskedText text={textOf(message)} />
      </h3>
      {stack !== "" && (
        <pre
          className="mt-2 max-h-80 overflow-auto whitespace-pre rounded bg-raised p-2 font-mono text-xs"
          tabIndex={0}
          role="region"
          aria-label="Stack trace"
        >
          <MaskedText text={textOf(stack)} />
        </pre>
      )}
      {Object.keys(others).length > 0 && (
        <AttributeList attributes={others} label="Attributes of the exception" />
      )}
    </div>
  );
}

function Events({ events, start_ns }: { events: SpanEvent[]; start_ns: number }) {
  return (
    <ol className="space-y-2">
      {events.map((event, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a span's events never change places
        <li key={at}>
          <span className="text-faint tabular-nums">
            {fromMoment((event.time_ns - start_ns) / 1e6)}
          </span>{" "}
          <span className="wrap-anywhere font-medium">
            <MaskedText text={event.name} />
          </span>
          {Object.keys(event.attributes ?? {}).length > 0 && (
            <AttributeList attributes={event.attributes ?? {}} label="Attributes of the event" />
          )}
        </li>
      ))}
    </ol>
  );
}

function Links({ links }: { links: SpanLink[] }) {
  return (
    <ul className="space-y-2">
      {links.map((link, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a span's links never change places
        <li key={at}>
          <TraceLink id={link.trace_id} span={link.span_id}>
            Trace <code>{link.trace_id.slice(0, 8)}</code>, span{" "}
            <code>{link.span_id.slice(0, 8)}</code>
          </TraceLink>
          {Object.keys(link.attributes ?? {}).length > 0 && (
            <AttributeList attributes={link.attributes ?? {}} label="Attributes of the link" />
          )}
        </li>
      ))}
    </ul>
  );
}

/** Log records, oldest first, by their time after `start_ns`. */
export function Logs({ logs, start_ns }: { logs: LogRow[]; start_ns: number }) {
  return (
    <ol className="space-y-2">
      {logs.map((log, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: records of a trace are never sorted anew
        <li key={at}>
          <span className="text-faint tabular-nums">
            {fromMoment((log.time_ns - start_ns) / 1e6)}
          </span>{" "}
          <Severity number={log.severity} text={log.severity_text} />{" "}
          <span className="wrap-anywhere whitespace-pre-wrap font-mono text-xs">
            <MaskedText text={log.body} />
          </span>
          {Object.keys(log.attributes).length > 0 && (
            <details className="text-faint">
              <summary>Attributes</summary>
              <AttributeList attributes={log.attributes} label="Attributes of the log record" />
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}
