import { useMemo } from "react";
import { useApi, useChangeSearch, useSearchParameter } from "../api";
import { Answer, Empty, Panel, SearchField } from "../components";
import { ServiceSelect } from "../measures/service_select";
import { Explored } from "./metrics_parts/explored";
import { MetricList } from "./metrics_parts/list";
import { firstOf, found } from "./metrics_parts/search";

/** All metrics that came, whoever sent them, and one of them over time. */
export default function Metrics() {
  const [service] = useSearchParameter("service");
  const [text] = useSearchParameter("text");
  const change = useChangeSearch();
  const [name] = useSearchParameter("name");
  const metrics = useApi("/metrics");
  const rows = metrics.data?.rows;
  const shown = useMemo(() => found(rows ?? [], text, service), [rows, text, service]);
  const chosen = name || firstOf(shown);
  const services = useMemo(() => (rows ?? []).flatMap((row) => row.services), [rows]);
  return (
    <Answer query={metrics} empty={<NoMetrics />}>
      {({ rows: all }) => (
        <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_minmax(0,2fr)]">
          <Panel title="Metrics" aside={`${shown.length} of ${all.length}`}>
            <div className="mb-3 flex flex-wrap gap-x-4 gap-y-2">
              <SearchField
                label="Find"
                placeholder="name, unit or help"
                value={text}
                change={(typed) => change({ text: typed }, true)}
              />
              <ServiceSelect services={services} />
            </div>
            {shown.length > 0 ? (
              <MetricList rows={shown} chosen={chosen} />
            ) : (
              <p className="text-faint">No metric has this in its name, its unit or its help.</p>
            )}
          </Panel>
          {chosen && (
            <Explored
              key={chosen}
              name={chosen}
              about={all.find((row) => row.name === chosen)}
              service={service}
            />
          )}
        </div>
      )}
    </Answer>
  );
}

function NoMetrics() {
  return (
    <Empty
      what="No metrics in this time"
      fill={
        <>
          A service under <code>clarity-instrument</code> sends its metrics every{" "}
          <code>OTEL_METRIC_EXPORT_INTERVAL</code> (a minute where nothing else is said); so does
          any OpenTelemetry SDK with an OTLP metric exporter.
        </>
      }
    />
  );
}
