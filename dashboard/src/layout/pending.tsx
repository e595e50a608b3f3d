import { Disconnected, Loading } from "../components";
import { useConnection } from "../live";

/** In place of a page whose file has not come yet. */
export function Pending() {
  return useConnection() === "disconnected" ? <Disconnected /> : <Loading />;
}
