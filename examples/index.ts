import { announcement } from "./announcement.ts";
import { issueTriage } from "./issue-triage.ts";
import { research } from "./research.ts";
import { supportDesk } from "./support-desk.ts";

/** The examples by their ids. */
export const examples = {
  announcement,
  "issue-triage": issueTriage,
  research,
  "support-desk": supportDesk,
} as const;
