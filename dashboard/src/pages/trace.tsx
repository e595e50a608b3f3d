import { useParams } from "@tanstack/react-router";
import { Answer, Empty, Loading, PageLink } from "../components";
import { useTrace } from "./trace_parts/use_trace";
import { TraceView } from "./trace_parts/view";

/** One trace, by the id in the path. */
export default function TracePage() {
  const { traceId = "" } = useParams({ strict: false }) as { traceId?: string };
  const trace = useTrace(traceId);
  if (trace.isAwaited) return <Loading />;
  if (!trace.data && trace.error?.status === 404) return <NoSuchTrace id={traceId} />;
  return <Answer query={trace}>{(data) => <TraceView key={traceId} trace={data} />}</Answer>;
}

function NoSuchTrace({ id }: { id: string }) {
  return (
    <Empty
      what={
        <span className="wrap-anywhere">
          There is no trace <code>{id}</code>
        </span>
      }
      fill={
        <>
          Its spans were not sent here, have not arrived yet, or are older than what the store
          keeps.{" "}
          <PageLink to="/traces" className="underline">
            Search the traces
          </PageLink>{" "}
          that there are.
        </>
      }
    />
  );
}
