import { useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import {
  type MetricName,
  useApi,
  useSearchParameter,
  useSearchText,
  useTimeRange,
} from "../../api";
import { FAMILIES, familyOf } from "../../catalog";
import { Answer, Chart, Empty, type Mark, Panel } from "../../components";
import { localTime, utcTime, withUnit } from "../../format";
import {
  exemplarsOf,
  isHistogram,
  joinedOf,
  leftOut,
  linesOf,
  STATISTICS,
  type Statistic,
} from "../../measures/lines";
import { NotFilled } from "../../measures/not_filled";
import { shownUnit } from "../../measures/units";
import { Choice } from "./choice";
import { Exemplars } from "./exemplars";
import { LineTable } from "./line_table";
import { splits } from "./search";

interface Props {
  name: string;
  about: MetricName | undefined;
  service: string;
}

/** A metric over time, by one of its labels, with the traces that its exemplars lead to. */
export function Explored({ name, about, service }: Props) {
  const [asked, setBy] = useSearchParameter("by");
  const [chosen, setStatistic] = useSearchParameter("statistic");
  const [, setRange] = useTimeRange();
  const navigate = useNavigate();
  const search = useSearchText();
  const family = FAMILIES.get(name);
  const by = asked || family?.labels[0] || "service";
  const series = useApi("/metrics/series", { name, service, by });
  const { data } = series;
  const statistic = STATISTICS.find((one) => one === chosen);
  const isOfHistogram = data !== undefined && isHistogram(data);
  const lines = useMemo(() => data && linesOf(data, statistic), [data, statistic]);
  const isRate = data?.kind === "sum" && (data.monotonic ?? family?.kind === "counter");
  const unit =
    statistic === "rate"
      ? "{measurement}/s"
      : shownUnit(name, data?.unit || about?.unit || "", isRate);
  const marks = useMemo(() => {
    if (!data || statistic === "rate" || (isRate && !isOfHistogram)) return [];
    return exemplarsOf(data).map(
      (one): Mark => ({
        time_s: one.time_ns / 1e9,
        value: one.value,
        href: `/traces/${one.trace_id}`,
        title: `${withUnit(one.value, unit)} at ${localTime(one.time_ns)} here, ${utcTime(one.time_ns)}: open its trace`,
      }),
    );
  }, [data, statistic, isRate, isOfHistogram, unit]);
  return (
    <Panel title={name} aside={[about?.kind, about?.unit].filter(Boolean).join(", ")}>
      <p className="mb-3 text-faint">
        {family?.help} {data && joinedOf(data)} {data && leftOut(data)}
      </p>
      <div className="mb-3 flex flex-wrap gap-x-4 gap-y-2">
        <Choice
          label="Lines by"
          value={by}
          options={splits(name, data?.labels ?? [])}
          choose={setBy}
        />
        {isOfHistogram && (
          <Choice
            label="Shown"
            value={statistic ?? ""}
            options={[["", data.rows.length > 1 ? "p95 of each" : "p50, p95, p99"], ...STATISTICS]}
            choose={setStatistic}
          />
        )}
      </div>
      <Answer
        query={series}
        empty={
          family ? (
            <NotFilled families={[familyOf(family.name)]} />
          ) : (
            <Empty
              what="No points in this time"
              fill="The metric came at another time, or another service sends it."
            />
          )
        }
      >
        {(answer) =>
          lines && (
            <>
              <Chart
                title={titleOf(statistic, isOfHistogram, isRate)}
                {...lines}
                unit={unit}
                height_px={280}
                marks={marks}
                onMark={({ href }) =>
                  void navigate({ to: href, search: { range: search.range } as never })
                }
                onSelect={(start_s, end_s) => setRange({ start_s, end_s })}
              />
              <LineTable lines={lines} unit={unit} />
              <Exemplars rows={exemplarsOf(answer)} unit={shownUnit(name, answer.unit, false)} />
            </>
          )
        }
      </Answer>
    </Panel>
  );
}

function titleOf(statistic: Statistic | undefined, isOfHistogram: boolean, isRate: boolean) {
  if (statistic === "rate") return "Measurements a second";
  if (isOfHistogram) return statistic ? `${statistic} of each step` : "Quantiles of each step";
  return isRate ? "Increase a second" : "Value";
}
