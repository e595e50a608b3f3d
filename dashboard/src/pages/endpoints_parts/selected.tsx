import { useTimeRange } from "../../api";
import { PageLink, Time } from "../../components";
import { count, duration, tickTime } from "../../format";
import { type Selection, searchOfSelection } from "./heat";

interface Props {
  selection: Selection;
  /** Requests in it, where that is known. */
  requests: number | undefined;
  service: string;
  route: string;
  clear: () => void;
}

/** What was brushed, and where it leads. */
export function Selected({ selection, requests, service, route, clear }: Props) {
  const [, setRange] = useTimeRange();
  const { start_s, end_s, least_ms, most_ms } = selection;
  const hasTime = start_s !== undefined && end_s !== undefined;
  return (
    <p
      role="status"
      data-testid="selected"
      className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md bg-raised p-2"
    >
      <span>
        {hasTime && (
          <>
            <Time ns={start_s * 1e9}>{tickTime(start_s, 1)}</Time> to{" "}
            <Time ns={end_s * 1e9}>{tickTime(end_s, 1)}</Time>
          </>
        )}
        {hasTime && least_ms !== undefined && ", "}
        {least_ms !== undefined && `${duration(least_ms)} to ${duration(most_ms)}`}
        {requests !== undefined &&
          `: ${count(requests)} ${requests === 1 ? "request" : "requests"}`}
      </span>
      <PageLink
        to="/traces"
        className="control"
        search={{
          service,
          route,
          ...(hasTime ? { range: undefined } : {}),
          ...searchOfSelection(selection),
        }}
      >
        Show their traces
      </PageLink>
      {hasTime && (
        <button type="button" className="control" onClick={() => setRange({ start_s, end_s })}>
          Zoom to this time
        </button>
      )}
      <button type="button" className="control" onClick={clear}>
        Clear
      </button>
    </p>
  );
}
