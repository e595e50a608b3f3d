import { NotBuilt } from "../components";

export default function Pipeline() {
  return <NotBuilt />;
}
