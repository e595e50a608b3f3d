import { NotBuilt } from "../components";

export default function Alerts() {
  return <NotBuilt />;
}
