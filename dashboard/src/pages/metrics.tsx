import { NotBuilt } from "../components";

export default function Metrics() {
  return <NotBuilt />;
}
