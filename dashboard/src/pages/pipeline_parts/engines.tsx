import type { Pipeline } from "../../api";
import { Fact } from "./fact";

/** The engines that this dashboard reads, where it has no store of its own. */
export function Engines({ engines }: { engines: NonNullable<Pipeline["engines"]> }) {
  return (
    <dl className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
      {engines.map(({ name, setting, address }) => (
        <Fact key={setting} name={name} value={address}>
          {setting}
        </Fact>
      ))}
    </dl>
  );
}
