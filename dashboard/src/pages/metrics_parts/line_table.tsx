import { withUnit } from "../../format";
import type { Lines } from "../../measures/lines";

/** What each line is now, and was at least and at most. */
export function LineTable({ lines, unit }: { lines: Lines; unit: string }) {
  return (
    <section className="mt-3 overflow-x-auto" aria-label="Lines" tabIndex={0}>
      <table className="w-full text-right tabular-nums">
        <thead className="text-faint">
          <tr>
            <th className="text-left font-medium">Line</th>
            <th className="px-2 font-medium">Last</th>
            <th className="px-2 font-medium">Least</th>
            <th className="px-2 font-medium">Most</th>
          </tr>
        </thead>
        <tbody>
          {lines.series.map(({ label, values }, at) => {
            const known = values.filter((value) => typeof value === "number");
            return (
              <tr key={label} className="border-line border-t">
                <th className="max-w-40 truncate py-1 text-left font-normal" title={label}>
                  <span aria-hidden="true" className={`text-series-${(at % 6) + 1}`}>
                    ■
                  </span>{" "}
                  {label}
                </th>
                <td className="px-2">{withUnit(known.at(-1), unit)}</td>
                <td className="px-2">{known.length > 0 && withUnit(Math.min(...known), unit)}</td>
                <td className="px-2">{known.length > 0 && withUnit(Math.max(...known), unit)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
