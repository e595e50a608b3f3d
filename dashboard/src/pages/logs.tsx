import { useCallback, useEffect, useMemo, useState } from "react";
import { useSearchParameter, useTimeRange } from "../api";
import type { LogRow } from "../api/types";
import { Answer, Empty, Panel, Time } from "../components";
import { count, LEVELS, type Level, leastOf } from "../format";
import { type Delta, useConnection, useLive } from "../live";
import { Filters } from "./logs_parts/filters";
import { Lines } from "./logs_parts/lines";
import { Record } from "./logs_parts/record";
import { useStored } from "./logs_parts/stored";
import { type Filter, isWanted, merged, taken } from "./logs_parts/tail";

/** Log records as they come, and back into the past. */
export default function Logs() {
  const filter = useFilter();
  const [range] = useTimeRange();
  // Another question is another tail: what was heard before does not belong to it.
  return (
    <Tail key={JSON.stringify([filter, range])} filter={filter} isMoving={"preset" in range} />
  );
}

function useFilter(): Filter {
  const [service] = useSearchParameter("service");
  const [level] = useSearchParameter("level");
  const [text] = useSearchParameter("text");
  const [trace_id] = useSearchParameter("trace_id");
  return useMemo(() => {
    const isLevel = (LEVELS as readonly string[]).includes(level);
    return { service, severity: isLevel ? leastOf(level as Level) : 0, text, trace_id };
  }, [service, level, text, trace_id]);
}

/** A delta is ahead of the store by so much: what came just before is asked for after it. */
const BEHIND_MS = 1000;

interface TailProps {
  filter: Filter;
  isMoving: boolean;
}

function Tail({ filter, isMoving }: TailProps) {
  const [, setRange] = useTimeRange();
  const [isPaused, setPaused] = useState(false);
  const [isFollowing, setFollowing] = useState(true);
  const [shown, setShown] = useState<LogRow[]>([]);
  const [waiting, setWaiting] = useState<LogRow[]>([]);
  const [chosen, setChosen] = useState("");
  const stored = useStored(filter);
  const { refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = stored;
  // Lines that somebody reads must not move away below the pointer.
  const isHeld = isPaused || !isFollowing;

  const hear = useCallback(
    ({ logs = [] }: Delta) => {
      const wanted = logs.filter((row) => isWanted(row, filter));
      if (wanted.length === 0) return;
      if (isHeld) setWaiting((before) => taken(before, wanted));
      else setShown((before) => taken(before, wanted));
    },
    [filter, isHeld],
  );
  const { service, severity, text } = filter;
  useLive(isMoving ? { topics: ["logs"], service, severity, text } : undefined, hear);

  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => void refetch(), BEHIND_MS);
    return () => clearTimeout(timer);
  }, [refetch, isHeld]);

  const release = useCallback(() => {
    setShown((before) => taken(before, waiting.toReversed()));
    setWaiting([]);
  }, [waiting]);
  useEffect(() => {
    if (!isHeld && waiting.length > 0) release();
  }, [isHeld, waiting, release]);

  const page = stored.data;
  const lines = useMemo(() => merged(page?.rows ?? [], shown), [page, shown]);
  const record = lines.find(({ key }) => key === chosen)?.row;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  // A page without rows that has a next one is not the end: the search goes on.
  useEffect(() => {
    if (page && page.rows.length === 0) more();
  }, [page, more]);

  return (
    <>
      <Filters known={[...new Set(lines.map(({ row }) => row.service))]} />
      <div
        className={
          record ? "grid gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(18rem,1fr)] lg:items-start" : ""
        }
      >
        <Panel
          title="Records"
          aside={
            isMoving ? (
              <TailState
                isPaused={isPaused}
                isFollowing={isFollowing}
                waiting={waiting.length}
                setPaused={setPaused}
                follow={() => {
                  setPaused(false);
                  setFollowing(true);
                }}
              />
            ) : (
              <button type="button" className="control" onClick={() => setRange({ preset: "15m" })}>
                To the live tail
              </button>
            )
          }
        >
          <Answer
            query={stored}
            isEmpty={() => lines.length === 0}
            empty={
              hasNextPage ? <Searching reached_ns={page?.reached_ns} /> : <NoLogs {...filter} />
            }
          >
            {() => (
              <>
                <Lines
                  lines={lines}
                  chosen={chosen}
                  choose={setChosen}
                  isFollowing={isFollowing}
                  setFollowing={setFollowing}
                  onEnd={more}
                />
                <p className="pt-2 text-faint" role="status">
                  {count(lines.length)} shown
                  {isFetchingNextPage && ", older ones are coming"}
                  {!hasNextPage && ", all of this time"}
                  {hasNextPage && (
                    <button type="button" className="control ml-3" onClick={more}>
                      Older
                    </button>
                  )}
                </p>
              </>
            )}
          </Answer>
        </Panel>
        {record && <Record row={record} close={() => setChosen("")} />}
      </div>
    </>
  );
}

interface TailStateProps {
  isPaused: boolean;
  isFollowing: boolean;
  waiting: number;
  setPaused: (isPaused: boolean) => void;
  follow: () => void;
}

function TailState({ isPaused, isFollowing, waiting, setPaused, follow }: TailStateProps) {
  const connection = useConnection();
  const isHeld = isPaused || !isFollowing;
  return (
    <span className="flex flex-wrap items-center gap-2">
      {waiting > 0 && (
        <button type="button" className="control text-accent" onClick={follow}>
          {count(waiting)} new
        </button>
      )}
      <button
        type="button"
        className="control aria-pressed:border-accent aria-pressed:bg-raised"
        aria-pressed={!isHeld}
        title="New records appear on top, and the newest stays in view"
        onClick={() => (isHeld ? follow() : setPaused(true))}
      >
        Follow
      </button>
      <button
        type="button"
        className="control aria-pressed:border-accent aria-pressed:bg-raised"
        aria-pressed={isPaused}
        disabled={connection === "disconnected"}
        onClick={() => (isPaused ? follow() : setPaused(true))}
      >
        {isPaused ? "Go on" : "Pause"}
      </button>
    </span>
  );
}

function Searching({ reached_ns = 0 }: { reached_ns: number | undefined }) {
  return (
    <p className="p-6 text-center text-faint" role="status">
      Still searching
      {reached_ns > 0 && (
        <>
          ; nothing since <Time ns={reached_ns} />
        </>
      )}
      …
    </p>
  );
}

function NoLogs({ service, severity, text, trace_id }: Filter) {
  const isFiltered = service || severity || text || trace_id;
  return (
    <Empty
      what={isFiltered ? "No such record in this time" : "No log records in this time"}
      fill={
        <>
          What services log fills this view, line by line: with <code>clarity-instrument</code> all
          that goes through Python's logging, structlog or loguru, from others what they send as
          OTLP logs.
        </>
      }
    />
  );
}
