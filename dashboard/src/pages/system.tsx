import { NotBuilt } from "../components";

export default function System() {
  return <NotBuilt />;
}
