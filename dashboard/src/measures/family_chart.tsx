import { useMemo } from "react";
import { useApi } from "../api";
import type { Family } from "../catalog";
import { Answer, Chart, PageLink } from "../components";
import { isHistogram, joinedOf, leftOut, linesOf } from "./lines";
import { useIsSeen } from "./seen";
import { shownUnit } from "./units";

interface Props {
  family: Family;
  by: string;
  service: string;
}

/** A metric of the catalog over time, asked for once it is near the window. */
export function FamilyChart({ family, by, service }: Props) {
  const [place, isSeen] = useIsSeen<HTMLDivElement>();
  const series = useApi("/metrics/series", { name: family.name, service, by }, { enabled: isSeen });
  const { data } = series;
  const lines = useMemo(() => data && linesOf(data), [data]);
  const isSplit = by !== "service" || (data?.rows.length ?? 0) > 1;
  const what = [
    family.name,
    data && isHistogram(data) && data.rows.length > 1 ? ", p95" : "",
    isSplit ? ` by ${by}` : "",
  ].join("");
  return (
    <div ref={place} className="min-h-48 min-w-0" data-family={family.name}>
      {isSeen || data ? (
        <Answer query={series}>
          {() =>
            lines && (
              <Chart
                title={what}
                {...lines}
                unit={shownUnit(family.name, family.unit, family.kind === "counter")}
                height_px={150}
                syncKey="group"
              />
            )
          }
        </Answer>
      ) : (
        <p className="font-medium">{family.name}</p>
      )}
      <p className="mt-1 text-faint">
        {family.help} {data && joinedOf(data)} {data && leftOut(data)}{" "}
        <PageLink
          to="/metrics"
          search={{ name: family.name, service: service || undefined, by }}
          className="underline"
        >
          Explore
        </PageLink>
      </p>
    </div>
  );
}
