import { NotBuilt } from "../components";

export default function Business() {
  return <NotBuilt />;
}
