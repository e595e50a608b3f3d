import { GroupPage } from "./group_parts/group_page";
import { SECURITY } from "./group_parts/security";

export default function Security() {
  return <GroupPage layout={SECURITY} />;
}
