import { GroupPage } from "./group_parts/group_page";
import { SYSTEM } from "./group_parts/system";

export default function System() {
  return <GroupPage layout={SYSTEM} />;
}
