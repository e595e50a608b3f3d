import { NotBuilt } from "../components";

export default function Endpoints() {
  return <NotBuilt />;
}
