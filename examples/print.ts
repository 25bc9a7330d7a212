import { examples } from "./index.ts";

// `npm run -s example -- issue-triage` prints the graph of an example as JSON, for `PUT /v1/workflows/{workflow_id}`.

const [id = ""] = process.argv.slice(2);
const found = Object.entries(examples).find(([name]) => name === id);
if (found === undefined) {
  console.error(`There is no example "${id}". There are: ${Object.keys(examples).join(", ")}`);
  process.exitCode = 1;
} else console.log(JSON.stringify({ graph: found[1] }, null, 2));
