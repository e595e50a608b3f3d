import { useCallback, useEffect, useMemo, useState } from "react";
import { useApi } from "../../api";
import {
  Answer,
  Duration,
  Empty,
  HttpStatus,
  MaskedText,
  Panel,
  Time,
  TraceLink,
  useOver,
} from "../../components";
import { count } from "../../format";
import { added, type Delta, type LiveRequest, requestOf, titleOf, useLive } from "../../live";

const WANTED = { topics: ["requests" as const] };

/** Requests as they come: those that are stored first, then what the live connection brings. */
export function Feed() {
  const [isHeld, setHeld] = useState(false);
  const [live, setLive] = useState<LiveRequest[]>([]);
  const stored = useApi("/traces", { limit: 20 });
  const hear = useCallback(({ requests = [] }: Delta) => {
    if (requests.length > 0) setLive((shown) => added(shown, requests));
  }, []);
  useLive(isHeld ? undefined : WANTED, hear);
  const newest = useMemo(
    () => added((stored.data?.rows ?? []).map(requestOf), live),
    [stored.data, live],
  );
  // No row moves away under the pointer.
  const [isOver, over] = useOver();
  const isStill = isHeld || isOver;
  const [kept, setKept] = useState(newest);
  useEffect(() => {
    if (!isStill) setKept(newest);
  }, [newest, isStill]);
  const shown = isStill ? kept : newest;
  const waiting = isStill ? newest.filter((row) => !kept.some((old) => isSame(row, old))) : [];

  return (
    <Panel
      title="Requests"
      aside={
        <span className="flex items-center gap-3">
          {waiting.length > 0 && <span data-testid="waiting">{count(waiting.length)} new</span>}
          <button
            type="button"
            className="control"
            aria-pressed={isHeld}
            onClick={() => setHeld(!isHeld)}
          >
            {isHeld ? "Go on" : "Hold"}
          </button>
        </span>
      }
    >
      <Answer
        query={stored}
        isEmpty={({ rows }) => rows.length === 0 && live.length === 0}
        empty={
          <Empty
            what="No requests in this time"
            fill="They appear here within a second of being made, once a service sends its server spans."
          />
        }
      >
        {() => (
          <div {...over}>
            <Requests rows={shown} />
          </div>
        )}
      </Answer>
    </Panel>
  );
}

function isSame(one: LiveRequest, other: LiveRequest): boolean {
  return one.trace_id === other.trace_id && one.start_ns === other.start_ns;
}

function Requests({ rows }: { rows: LiveRequest[] }) {
  return (
    <ul aria-label="Newest requests" data-testid="feed">
      {rows.map((row) => (
        <li
          key={row.trace_id + row.span_id}
          className="grid grid-cols-[minmax(0,1fr)_2.5rem_4.5rem] items-baseline gap-x-3 border-line border-b py-1.5 sm:grid-cols-[7rem_6rem_minmax(0,1fr)_2.5rem_4.5rem]"
        >
          <span className="hidden text-faint tabular-nums sm:block">
            <Time ns={row.start_ns} />
          </span>
          <span className="hidden truncate sm:block">{row.service}</span>
          <span className="truncate">
            <TraceLink id={row.trace_id}>
              <MaskedText text={titleOf(row)} />
            </TraceLink>
          </span>
          <HttpStatus status={row.http_status} isError={row.is_error} />
          <span className="text-right">
            <Duration ms={row.duration_ms} />
          </span>
        </li>
      ))}
    </ul>
  );
}
