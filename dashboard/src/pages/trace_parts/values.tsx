import type { Attributes, Value } from "../../api";
import { MaskedText, PageLink } from "../../components";

/** A value as text: what is no text stands as JSON. */
export function textOf(value: Value): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

interface Props {
  attributes: Attributes;
  label: string;
  /** Each value is a link to the traces that have it, too. */
  isSearched?: boolean;
}

/** Names and values, by name. Masked parts are marked. */
export function AttributeList({ attributes, label, isSearched = false }: Props) {
  const pairs = Object.entries(attributes).sort(([one], [other]) => one.localeCompare(other));
  if (pairs.length === 0) return <p className="text-faint">None.</p>;
  return (
    <dl aria-label={label} className="divide-y divide-line">
      {pairs.map(([name, value]) => (
        <div key={name} className="grid gap-x-3 py-1 sm:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
          <dt className="wrap-anywhere font-mono text-faint text-xs leading-5">{name}</dt>
          <dd className="wrap-anywhere font-mono text-xs leading-5">
            <MaskedText text={textOf(value)} />{" "}
            {isSearched && isPlain(value) && (
              <PageLink
                to="/traces"
                search={{ attribute: `${name}=${String(value)}` }}
                className="ml-1 font-sans"
              >
                <span aria-hidden="true" title="Traces with this value">
                  ⌕
                </span>
                <span className="sr-only">
                  Traces with {name}={String(value)}
                </span>
              </PageLink>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** What the search by attribute finds again. */
function isPlain(value: Value): boolean {
  return (
    (typeof value === "string" && value !== "" && value.length <= 200) ||
    typeof value === "number" ||
    typeof value === "boolean"
  );
}
