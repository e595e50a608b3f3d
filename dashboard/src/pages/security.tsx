import { NotBuilt } from "../components";

export default function Security() {
  return <NotBuilt />;
}
