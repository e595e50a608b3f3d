import { GroupPage } from "./group_parts/group_page";
import { ML } from "./group_parts/ml";

export default function Ml() {
  return <GroupPage layout={ML} />;
}
