import type { MetricName } from "../../api";
import { familyOf } from "../../catalog";
import { Panel } from "../../components";
import { FamilyChart } from "../../measures/family_chart";
import { NotFilled } from "../../measures/not_filled";
import { type GroupLayout, sectionsOf, splitOf } from "./layout";

interface Props {
  layout: GroupLayout;
  metrics: MetricName[];
  service: string;
}

/** The charts of a group: those with data, and of the others what would fill them. */
export function Sections({ layout, metrics, service }: Props) {
  const there = new Set(
    metrics
      .filter(({ services }) => !service || services.includes(service))
      .map(({ name }) => name),
  );
  return sectionsOf(layout).map(({ title, charts }) => {
    const missing = new Set(charts.map(({ family }) => family).filter((name) => !there.has(name)));
    const drawn = charts.filter(({ family }) => there.has(family));
    return (
      <Panel key={title} title={title}>
        {drawn.length > 0 && (
          <div className="grid gap-6 md:grid-cols-2 2xl:grid-cols-3">
            {drawn.map(({ family: name, by }) => {
              const family = familyOf(name);
              const split = splitOf(family, by);
              return (
                <FamilyChart
                  key={`${name} ${split}`}
                  family={family}
                  by={split}
                  service={service}
                />
              );
            })}
          </div>
        )}
        {missing.size > 0 && (
          <div className={drawn.length > 0 ? "mt-4" : ""}>
            <NotFilled families={[...missing].map(familyOf)} />
          </div>
        )}
      </Panel>
    );
  });
}
