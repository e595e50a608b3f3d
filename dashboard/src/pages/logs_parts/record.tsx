import { useEffect, useRef } from "react";
import type { LogRow } from "../../api/types";
import {
  MaskedText,
  PageLink,
  Panel,
  Severity,
  Time,
  TraceLink,
  useIsNarrow,
} from "../../components";
import { utcTime } from "../../format";
import { traceOf } from "./tail";

/** All that is known of one record. */
export function Record({ row, close }: { row: LogRow; close: () => void }) {
  const trace_id = traceOf(row);
  const attributes = Object.entries(row.attributes);
  const isNarrow = useIsNarrow();
  const place = useRef<HTMLDivElement>(null);
  // In a narrow window it stands below the lines, out of sight.
  useEffect(() => {
    if (isNarrow) place.current?.scrollIntoView({ block: "nearest" });
  }, [isNarrow]);
  return (
    <Panel
      title="Record"
      aside={
        <button type="button" className="control" onClick={close}>
          Close
        </button>
      }
    >
      <div ref={place} data-testid="record" className="space-y-3">
        <p className="max-h-48 overflow-auto whitespace-pre-wrap break-words rounded-md bg-raised p-2 font-mono text-xs">
          <MaskedText text={row.body} />
        </p>
        <dl className="grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-1">
          <dt className="text-faint">Time</dt>
          <dd>
            <Time ns={row.time_ns} />
            <span className="block text-faint text-xs">{utcTime(row.time_ns)}</span>
          </dd>
          <dt className="text-faint">Level</dt>
          <dd>
            <Severity number={row.severity} text={row.severity_text} />
          </dd>
          <dt className="text-faint">Service</dt>
          <dd className="break-words">{row.service}</dd>
          {row.scope && (
            <>
              <dt className="text-faint">Logger</dt>
              <dd className="break-words">{row.scope}</dd>
            </>
          )}
          <dt className="text-faint">Trace</dt>
          <dd>
            {trace_id ? (
              <>
                <TraceLink id={trace_id}>
                  <code className="break-all">{trace_id}</code>
                </TraceLink>
                <PageLink to="/logs" className="block" search={{ trace_id }}>
                  All its records
                </PageLink>
              </>
            ) : (
              <span className="text-faint">outside of any</span>
            )}
          </dd>
        </dl>
        <div>
          <h3 className="font-medium">Attributes</h3>
          {attributes.length > 0 ? (
            <dl className="mt-1 max-h-72 space-y-1 overflow-auto">
              {attributes.map(([name, value]) => (
                <div key={name}>
                  <dt className="break-words text-faint text-xs">{name}</dt>
                  <dd className="whitespace-pre-wrap break-words font-mono text-xs">
                    <MaskedText
                      text={typeof value === "string" ? value : JSON.stringify(value, null, 1)}
                    />
                  </dd>
                </div>
              ))}
            </dl>
          ) : (
            <p className="text-faint">It has none.</p>
          )}
        </div>
      </div>
    </Panel>
  );
}
