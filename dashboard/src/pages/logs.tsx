import { NotBuilt } from "../components";

export default function Logs() {
  return <NotBuilt />;
}
