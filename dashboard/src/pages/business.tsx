import { BUSINESS } from "./group_parts/business";
import { GroupPage } from "./group_parts/group_page";

export default function Business() {
  return <GroupPage layout={BUSINESS} />;
}
