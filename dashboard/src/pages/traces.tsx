import { NotBuilt } from "../components";

export default function Traces() {
  return <NotBuilt />;
}
