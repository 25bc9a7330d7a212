import { classifyError } from "../../../src/engine/trigger/error-class.ts";
import { parseHandlerUri } from "../../../src/lib/handler-uri.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";

/** Handlers of triggers (spec/triggers 5.3 and 12.5). */
export const handlerOperations: Operations = {
  parse_handler_uri: (_system, args) => valueOf(parseHandlerUri(textArg(args, "uri"))),
  classify_dlq_error: (_system, args) => classifyError(textArg(args, "error")),
};
