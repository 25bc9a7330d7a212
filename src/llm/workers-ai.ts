import { createWorkersAI } from "workers-ai-provider";
import { err, ok, type Result } from "../lib/result.ts";
import type { StageFailure } from "../ports/stage-failure.ts";
import type { ModelRequest, OpenModel } from "./model.ts";

const DEFAULT_MODEL = "@cf/zai-org/glm-4.7-flash";

/** A model of Workers AI, through the binding of the deployment; it needs no key. */
export const openWorkersAI = ({ env, model }: ModelRequest): Result<OpenModel, StageFailure> => {
  if (env.AI === undefined) {
    return err({
      category: "auth",
      message: "the provider workers-ai needs the Workers AI binding AI in wrangler.toml",
    });
  }
  const id = model ?? DEFAULT_MODEL;
  return ok({ model: id, language_model: createWorkersAI({ binding: env.AI })(id) });
};
