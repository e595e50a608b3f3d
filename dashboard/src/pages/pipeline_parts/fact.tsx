import type { ReactNode } from "react";

interface Props {
  name: string;
  value: string;
  isBad?: boolean;
  children?: ReactNode;
}

/** A name, its number, and a word on it; in a dl. */
export function Fact({ name, value, isBad = false, children }: Props) {
  return (
    <div className="min-w-0">
      <dt className="text-faint">{name}</dt>
      <dd className={`font-semibold text-xl tabular-nums ${isBad ? "text-bad" : ""}`}>{value}</dd>
      {children && <dd className="text-faint text-xs">{children}</dd>}
    </div>
  );
}
