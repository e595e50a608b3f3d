import { NotBuilt } from "../components";

export default function ServiceMap() {
  return <NotBuilt />;
}
