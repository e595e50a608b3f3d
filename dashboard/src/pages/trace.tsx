import { NotBuilt } from "../components";

export default function Trace() {
  return <NotBuilt />;
}
