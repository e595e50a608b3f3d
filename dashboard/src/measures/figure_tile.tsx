import { useApi } from "../api";
import { familyOf } from "../catalog";
import { PageLink, Sparkline } from "../components";
import { bareUnit, withUnit } from "../format";
import { type Figure, toldBy } from "./figures";
import { SHARE, shownUnit } from "./units";

interface Props {
  figure: Figure;
  service: string;
  /** Whether the metric came at all in this time. */
  isThere: boolean;
}

/** One number with its line, and a link to the whole metric. */
export function FigureTile({ figure, service, isThere }: Props) {
  const { family: name, by, title } = figure;
  const family = familyOf(name);
  const { data } = useApi(
    "/metrics/series",
    { name, service, by: by ?? "service" },
    { enabled: isThere },
  );
  const told = isThere && data ? toldBy(figure, data) : { value: null, values: [] };
  const isRate = family.kind === "counter";
  const unitOf = (isRateShown: boolean) =>
    figure.share ? SHARE : bareUnit(shownUnit(name, family.unit, isRateShown));
  const value = figure.isTotal && told.value ? Math.round(told.value) : told.value;
  const shown = withUnit(value, unitOf(isRate && !figure.isTotal));
  const line = withUnit(Math.max(...told.values), unitOf(isRate));
  return (
    <PageLink
      to="/metrics"
      search={{ name, service: service || undefined }}
      className="panel block text-ink no-underline hover:bg-raised hover:no-underline"
    >
      <span className="block text-faint">{title}</span>
      <span
        className="block truncate font-semibold text-xl tabular-nums"
        title={isThere ? shown : "Nothing came in this time"}
      >
        {shown}
      </span>
      <Sparkline
        values={told.values}
        label={
          told.values.length > 1 ? `${title}: now ${shown}, most ${line}` : `${title}: no line yet`
        }
      />
    </PageLink>
  );
}
