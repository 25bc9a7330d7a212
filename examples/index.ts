import { announcement } from "./announcement.ts";
import { briefing } from "./briefing.ts";
import { issueTriage } from "./issue-triage.ts";
import { research } from "./research.ts";
import { supportDesk } from "./support-desk.ts";

/** The examples by their ids. */
export const examples = {
  announcement,
  briefing,
  "issue-triage": issueTriage,
  research,
  "support-desk": supportDesk,
} as const;
