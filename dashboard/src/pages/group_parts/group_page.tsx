import { useApi, useSearchParameter } from "../../api";
import { groupOf } from "../../catalog";
import { Answer } from "../../components";
import { FigureTile } from "../../measures/figure_tile";
import { ServiceSelect } from "../../measures/service_select";
import type { GroupLayout } from "./layout";
import { Sections } from "./sections";

/** A group of the catalog: its first numbers, then its charts. */
export function GroupPage({ layout }: { layout: GroupLayout }) {
  const [service] = useSearchParameter("service");
  const metrics = useApi("/metrics");
  return (
    <Answer query={metrics}>
      {({ rows }) => {
        const own = new Set<string>(groupOf(layout.group).map(({ name }) => name));
        const known = rows.filter(({ name }) => own.has(name));
        const of = (name: string) =>
          known.some((row) => row.name === name && (!service || row.services.includes(service)));
        return (
          <>
            <ServiceSelect services={known.flatMap(({ services }) => services)} />
            <div className="grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-6">
              {layout.first.map((figure) => (
                <FigureTile
                  key={figure.title}
                  figure={figure}
                  service={service}
                  isThere={of(figure.family)}
                />
              ))}
            </div>
            <Sections layout={layout} metrics={known} service={service} />
          </>
        );
      }}
    </Answer>
  );
}
