import { NotBuilt } from "../components";

export default function Errors() {
  return <NotBuilt />;
}
