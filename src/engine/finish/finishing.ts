import type { Json } from "../../lib/json.ts";
import type { Timestamp } from "../../lib/time.ts";
import type { Finishing, Lifecycle } from "./state.ts";

/** Begins, or ends, an attempt at what is done at the end of a run. */
export type FinishCommand =
  | { readonly type: "begin_finish"; readonly attempt_token: string }
  | {
      readonly type: "end_finish";
      readonly attempt_token: string;
      /** What the run is worth now, or why that is not known. */
      readonly outcome: { readonly return_value: Json } | { readonly error: string };
    };

/** How far a run has come with what is done at its end. */
export type FinishingEvent =
  | ({ readonly type: "finish_ordered" } & Omit<Finishing, "begun">)
  | { readonly type: "finish_begun"; readonly deadline_ms: Timestamp }
  | { readonly type: "finish_ended"; readonly return_value: Json };

/** The lifecycle after a step of what is done at the end (spec/workers 21.2). */
export const evolveFinishing = (state: Lifecycle, event: FinishingEvent): Lifecycle => {
  switch (event.type) {
    case "finish_ordered": {
      const { on_finish, attempt, attempt_token, deadline_ms } = event;
      return { ...state, finishing: { on_finish, attempt, attempt_token, deadline_ms, begun: false } };
    }
    case "finish_begun": {
      const { finishing } = state;
      if (finishing === null) return state;
      return { ...state, finishing: { ...finishing, begun: true, deadline_ms: event.deadline_ms } };
    }
    case "finish_ended":
      return { ...state, finishing: null, returned: { value: event.return_value } };
  }
};

/** The lifecycle of a run that did not end well: nothing is done at its end any more (spec/workers 21.1). */
export const withoutFinish = (state: Lifecycle): Lifecycle => ({ ...state, on_finish: null, finishing: null });
