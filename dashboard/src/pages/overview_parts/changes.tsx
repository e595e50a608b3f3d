import type { ServiceRow } from "../../api";
import { Empty, PageLink } from "../../components";
import { changes } from "../../format";

interface Props {
  now: ServiceRow[];
  before: ServiceRow[];
}

export function Changes({ now, before }: Props) {
  if (before.length === 0) {
    return (
      <Empty
        what="Nothing to compare with"
        fill="No server spans were stored for the time before this range."
      />
    );
  }
  const found = changes(now, before, ({ service }) => service);
  if (found.length === 0) {
    return <p className="text-faint">No service differs by more than chance.</p>;
  }
  return (
    <ul className="space-y-1">
      {found.map(({ name, text, isWorse }) => (
        <li key={`${name} ${text}`}>
          <span aria-hidden="true" className={isWorse ? "text-bad" : "text-good"}>
            {isWorse ? "▲" : "●"}
          </span>{" "}
          <PageLink to="/endpoints" search={{ service: name }} className="underline">
            {name}
          </PageLink>{" "}
          {text}
        </li>
      ))}
    </ul>
  );
}
