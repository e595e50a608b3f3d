import { NotBuilt } from "../components";

export default function Ml() {
  return <NotBuilt />;
}
