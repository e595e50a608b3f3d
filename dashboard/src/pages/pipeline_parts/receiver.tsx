import { useMemo } from "react";
import type { Pipeline } from "../../api";
import { Chart } from "../../components";
import { bytes, count, percent, rate } from "../../format";
import { Fact } from "./fact";
import { ratesOf, type Sample } from "./rates";

interface Props {
  counts: Pipeline;
  samples: Sample[];
}

/** What the receiver takes and loses now, and how full it is. */
export function Receiver({ counts, samples }: Props) {
  const { items, requests, store } = counts;
  const lost = (items.dropped ?? 0) + (items.refused ?? 0);
  const wrong = (requests.bad ?? 0) + (requests.busy ?? 0);
  const chart = useMemo(
    () => ({
      times_s: samples.slice(1).map(({ time_s }) => time_s),
      series: [
        { label: "stored", values: ratesOf(samples, "stored"), colour: 1 as const },
        { label: "dropped", values: ratesOf(samples, "dropped"), colour: 2 as const },
        { label: "refused", values: ratesOf(samples, "refused"), colour: 5 as const },
      ],
    }),
    [samples],
  );
  const now = chart.series[0]?.values.at(-1);
  return (
    <>
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
        <Fact name="Stored now" value={now === undefined ? "…" : rate(now)}>
          {count(items.stored)} spans, records and points in all
        </Fact>
        <Fact name="Queue" value={percent(counts.queue_fullness)}>
          of what may wait for the store
        </Fact>
        <Fact name="Lost" value={count(lost)} isBad={lost > 0}>
          {count(items.dropped)} dropped, {count(items.refused)} refused
        </Fact>
        <Fact name="Requests" value={count(requests.accepted)}>
          {count(requests.partial)} in part
        </Fact>
        <Fact name="Not taken" value={count(wrong)} isBad={wrong > 0}>
          {count(requests.bad)} malformed, {count(requests.busy)} sent back as the queue was full
        </Fact>
        <Fact name="Store" value={bytes(store?.bytes)}>
          {store ? `of ${bytes(store.limit_bytes)} (CLARITY_STORE_LIMIT)` : "its size is not told"}
        </Fact>
      </dl>
      {/* As high as the chart from the beginning: what is below does not jump. */}
      <div className="mt-4 min-h-64" data-testid="live-rates" data-samples={samples.length}>
        {chart.times_s.length > 1 ? (
          <Chart title="Items a second, while this page is open" {...chart} unit="{item}/s" />
        ) : (
          <p className="flex min-h-64 items-center justify-center rounded-md border border-line border-dashed p-6 text-faint">
            A chart of items a second begins here with the next telemetry that arrives.
          </p>
        )}
      </div>
    </>
  );
}
