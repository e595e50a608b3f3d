import { useState } from "react";
import {
  type EndpointRow,
  useApi,
  useChangeSearch,
  useSearchParameter,
  useTimeRange,
  type VersionRow,
} from "../api";
import { Answer, Empty, Panel, SearchField, ServicePicker } from "../components";
import { changes, counted } from "../format";
import { Charts } from "./endpoints_parts/charts";
import { ComparePicker } from "./endpoints_parts/compare_picker";
import { type Comparison, comparisonOf, fitsRoute, joined } from "./endpoints_parts/comparing";
import { countIn, type Heat, type Selection } from "./endpoints_parts/heat";
import { Heatmap } from "./endpoints_parts/heatmap";
import { Routes } from "./endpoints_parts/routes";
import { Selected } from "./endpoints_parts/selected";

const VERSIONS_S = 7 * 86_400;
/** What is seen at a glance needs no search. */
const FEW_ROUTES = 10;

/** A deploy may be older than the time that is looked at. */
function lastWeek(_range: unknown, now_s: number) {
  return { start: Math.floor(now_s / 60) * 60 - VERSIONS_S, end: now_s };
}

/** Each route's rate, errors and duration; a route's charts; from a brush to the traces in it. */
export default function Endpoints() {
  const [service] = useSearchParameter("service");
  const [version] = useSearchParameter("version");
  const comparison = useComparison(service);
  const side = comparison?.now;
  const routes = useApi(
    "/endpoints",
    side
      ? { service, version: side.version ?? version, start: side.start, end: side.end }
      : { service, version },
    side ? { bounds: null } : {},
  );
  const other = comparison?.before;
  const before = useApi(
    "/endpoints",
    other ? { service, version: other.version ?? version, start: other.start, end: other.end } : {},
    { bounds: null, enabled: other !== undefined },
  );
  return (
    <>
      <Controls service={service} />
      <Answer query={routes} empty={<NoRoutes version={version} />}>
        {({ rows }) => (
          <Filled
            rows={rows}
            before={comparison && before.data?.rows}
            comparison={comparison}
            service={service}
            version={version}
          />
        )}
      </Answer>
    </>
  );
}

function useVersions(service: string): VersionRow[] {
  const { data } = useApi("/versions", { service }, { bounds: lastWeek });
  return (data?.rows ?? []).filter((row) => service === "" || row.service === service);
}

function useComparison(service: string): Comparison | undefined {
  const [compare] = useSearchParameter("compare");
  const [at] = useSearchParameter("at");
  const [deploy] = useSearchParameter("deploy");
  const [range] = useTimeRange();
  const versions = useVersions(service);
  return comparisonOf({ compare, at, deploy }, range, versions, Date.now() / 1000);
}

function Controls({ service }: { service: string }) {
  const [version, setVersion] = useSearchParameter("version");
  const versions = useVersions(service);
  const names = new Set([...versions.map((row) => row.version), version]);
  names.delete("");
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
      <ServicePicker />
      {names.size > 0 && (
        <label className="flex items-center gap-2">
          <span className="text-faint">Version</span>
          <select
            className="control max-w-40"
            value={version}
            onChange={({ target }) => setVersion(target.value)}
          >
            <option value="">All</option>
            {[...names].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <ComparePicker versions={service ? versions : []} />
    </div>
  );
}

interface FilledProps {
  rows: EndpointRow[];
  before: EndpointRow[] | undefined;
  comparison: Comparison | undefined;
  service: string;
  version: string;
}

function Filled({ rows, before, comparison, service, version }: FilledProps) {
  const [route] = useSearchParameter("route");
  const [find] = useSearchParameter("find");
  const change = useChangeSearch();
  const fitting = joined(rows, before).filter((row) => fitsRoute(row, find));
  // Without a choice the busiest service is shown: a page is not half empty.
  const shown = { service: service || ((fitting[0] ?? rows[0])?.service ?? ""), route };
  return (
    <>
      <Panel
        title="Routes"
        aside={comparison && `${comparison.now.label}, against ${comparison.before.label}`}
      >
        {comparison && before && <Differences now={rows} before={before} />}
        {(rows.length > FEW_ROUTES || find) && (
          <div className="mb-2 flex items-center gap-2">
            <SearchField
              label="Find"
              placeholder="method, route or service"
              value={find}
              change={(text) => change({ find: text }, true)}
            />
            <span className="text-faint" role="status">
              {fitting.length} of {counted(rows.length, "route")}
            </span>
          </div>
        )}
        <Routes
          rows={fitting}
          isCompared={comparison !== undefined}
          isNothingBefore={!before?.length}
          chosen={shown}
        />
      </Panel>
      <Details
        key={`${shown.service} ${route}`}
        {...shown}
        version={version}
        comparison={comparison}
      />
    </>
  );
}

function Differences({ now, before }: { now: EndpointRow[]; before: EndpointRow[] }) {
  if (before.length === 0) {
    return (
      <p className="mb-2 text-faint">No requests were stored for the time that is compared with.</p>
    );
  }
  const found = changes(now, before, ({ method, route }) => `${method} ${route || "(no route)"}`);
  if (found.length === 0) {
    return <p className="mb-2 text-faint">No route differs by more than chance.</p>;
  }
  return (
    <section className="mb-3 max-h-40 overflow-auto" aria-label="What changed" tabIndex={0}>
      <ul className="space-y-1">
        {found.map(({ name, text, isWorse }) => (
          <li key={`${name} ${text}`}>
            <span aria-hidden="true" className={isWorse ? "text-bad" : "text-good"}>
              {isWorse ? "▲" : "●"}
            </span>{" "}
            <span className="font-medium">{name}</span> {text}
          </li>
        ))}
      </ul>
    </section>
  );
}

interface DetailsProps {
  service: string;
  route: string;
  version: string;
  comparison: Comparison | undefined;
}

function Details({ service, route, version, comparison }: DetailsProps) {
  const [selection, setSelection] = useState<Selection>({});
  const [heat, setHeat] = useState<Heat>();
  const hasSelection = Object.keys(selection).length > 0;
  const name = route ? `${service}: ${route}` : `${service}: all routes`;
  const selected = hasSelection && (
    <Selected
      selection={selection}
      requests={heat && countIn(heat, selection)}
      service={service}
      route={route}
      clear={() => setSelection({})}
    />
  );
  return (
    <>
      <Panel title={name} aside="drag over a chart to select a time">
        <Charts
          service={service}
          route={route}
          version={version}
          comparison={comparison}
          onSelect={(start_s, end_s) => {
            setHeat(undefined);
            setSelection({ start_s, end_s });
          }}
        />
      </Panel>
      <Panel title="Requests by time and duration" aside="drag to select a time and a band">
        {selected}
        <div className="mt-2">
          <Heatmap
            service={service}
            route={route}
            version={version}
            selection={selection}
            select={(chosen, of) => {
              setSelection(chosen);
              setHeat(of);
            }}
          />
        </div>
      </Panel>
    </>
  );
}

function NoRoutes({ version }: { version: string }) {
  return (
    <Empty
      what={version ? `No requests of version ${version} in this time` : "No requests in this time"}
      fill={
        <>
          Server spans with a route fill this view: start a service with{" "}
          <code>clarity-instrument uvicorn app:app</code>, or send OTLP traces.
        </>
      }
    />
  );
}
