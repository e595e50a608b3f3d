import { useCallback, useMemo, useState } from "react";
import { boundsOf, useApi, useChangeSearch, useSearchParameter, useTimeRange } from "../api";
import {
  Answer,
  type Column,
  Empty,
  MaskedText,
  Panel,
  SearchField,
  ServicePicker,
  Sparkline,
  Table,
  Time,
} from "../components";
import { ago, count, localTime, utcTime } from "../format";
import { type Delta, type LiveError, useLive } from "../live";
import { fits, held, type ShownError, trendOf, withArrived } from "./errors_parts/arriving";
import { Group } from "./errors_parts/group";

/** Exceptions in groups, with those that arrive. */
export default function Errors() {
  const [service] = useSearchParameter("service");
  const [text] = useSearchParameter("text");
  const change = useChangeSearch();
  const [range] = useTimeRange();
  const [live, setLive] = useState<LiveError[]>([]);
  const errors = useApi("/errors", { service });
  const isMoving = "preset" in range;
  const hear = useCallback(
    ({ errors = [] }: Delta) => {
      const wanted = errors.filter((error) => service === "" || error.service === service);
      if (wanted.length > 0) setLive((before) => held(before, wanted));
    },
    [service],
  );
  useLive(isMoving ? { topics: ["errors"], service } : undefined, hear);
  const rows = useMemo(() => {
    const stored = errors.data?.rows ?? [];
    // Telemetry that waited on a disk may be older than the time that is looked at.
    const first_ns = boundsOf(range, Date.now() / 1000).start * 1e9;
    const arrived = live.filter(
      (error) => (service === "" || error.service === service) && error.time_ns >= first_ns,
    );
    return withArrived(stored, isMoving ? arrived : []).filter((row) => fits(row, text));
  }, [errors.data, live, isMoving, service, text, range]);
  const bounds = boundsOf(range, Date.now() / 1000);

  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <ServicePicker known={(errors.data?.rows ?? []).map((row) => row.service)} />
        <SearchField
          label="Text"
          placeholder="type, message, stack"
          value={text}
          change={(typed) => change({ text: typed }, true)}
        />
      </div>
      <Answer
        query={errors}
        isEmpty={() => rows.length === 0}
        empty={
          <Empty
            what={text ? `No error of this time has “${text}”` : "No errors in this time"}
            fill="Exceptions that spans record fill this view: those that a request handler lets through by themselves, others by span.record_exception()."
          />
        }
      >
        {() => <Groups rows={rows} start_s={bounds.start} end_s={bounds.end} />}
      </Answer>
    </>
  );
}

interface GroupsProps {
  rows: ShownError[];
  start_s: number;
  end_s: number;
}

function Groups({ rows, start_s, end_s }: GroupsProps) {
  const [group, setGroup] = useSearchParameter("group");
  const columns = columnsOf(start_s, end_s, group, setGroup);
  const chosen = rows.find((row) => row.group === group);
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  return (
    <>
      <Panel
        title="Groups"
        aside={`${count(total)} ${total === 1 ? "error" : "errors"} in ${count(rows.length)} ${rows.length === 1 ? "group" : "groups"}`}
      >
        <Table
          label="Errors"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.group}
          minWidth="52rem"
          maxHeight="26rem"
          rowHeight_px={60}
          chosenKey={group}
          onRow={(row) => setGroup(row.group)}
        />
      </Panel>
      {chosen && <Group row={chosen} close={() => setGroup("")} />}
    </>
  );
}

function columnsOf(
  start_s: number,
  end_s: number,
  chosen: string,
  choose: (group: string) => void,
): Column<ShownError>[] {
  return [
    {
      title: "Error",
      width: "minmax(9rem, 4fr)",
      isOwnLine: true,
      sortBy: (row) => row.type,
      cell: (row) => (
        <>
          <span className="flex min-w-0 items-baseline gap-2">
            <button
              type="button"
              className="truncate font-medium text-accent hover:underline"
              aria-expanded={row.group === chosen}
              onClick={(event) => {
                event.stopPropagation();
                choose(row.group === chosen ? "" : row.group);
              }}
            >
              {row.type || "(no type)"}
            </button>
            {row.fresh > 0 && (
              <span className="rounded bg-raised px-1.5 font-medium text-bad text-xs">
                {row.fresh} new
              </span>
            )}
          </span>
          <span className="block truncate text-faint">
            <MaskedText text={row.message} />
          </span>
        </>
      ),
    },
    {
      title: "Service",
      width: "minmax(5rem, 1fr)",
      isWideOnly: true,
      sortBy: (row) => row.service,
      cell: (row) => row.service,
    },
    {
      title: "Count",
      width: "4rem",
      isNumber: true,
      sortBy: (row) => row.count,
      cell: (row) => count(row.count),
    },
    {
      title: "Trend",
      width: "8.5rem",
      isWideOnly: true,
      cell: (row) => {
        const values = trendOf(row, start_s, end_s);
        return (
          <Sparkline
            values={values}
            colour="text-bad"
            label={`Errors over this time: most ${count(Math.max(...values))} in a step, last ${count(values.at(-1))}`}
          />
        );
      },
    },
    {
      title: "First seen",
      width: "8rem",
      isWideOnly: true,
      sortBy: (row) => row.first_ns,
      cell: (row) => <Time ns={row.first_ns} />,
    },
    {
      title: "Last seen",
      width: "6rem",
      sortBy: (row) => row.last_ns,
      cell: (row) => (
        <span
          title={`${localTime(row.last_ns)} here, ${utcTime(row.last_ns)}`}
          className="whitespace-nowrap"
        >
          {ago(row.last_ns, Date.now())}
        </span>
      ),
    },
  ];
}
