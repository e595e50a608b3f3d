import { type Family, filledBy } from "../catalog";

/** Families that have no data, and what would give them some. */
export function NotFilled({ families }: { families: Family[] }) {
  return (
    <div data-state="empty">
      <p className="mb-1 font-medium">
        {families.length === 1 ? "Without data in this time" : "Without data in this time:"}
      </p>
      <ul className="space-y-2">
        {families.map((family) => (
          <li key={family.name} className="min-w-0 border-line border-l-2 pl-3">
            <span className="break-all font-medium">{family.name}</span>{" "}
            <span className="text-faint">{family.help}</span>
            <span className="block text-faint">
              Filled by{" "}
              {family.call ? (
                <code className="break-all text-ink">{family.call}</code>
              ) : (
                filledBy(family)
              )}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
