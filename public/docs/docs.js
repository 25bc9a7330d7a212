// The API reference: draws /openapi.json. No dependencies, nothing from elsewhere, all text is set as text.

const METHODS = ["get", "post", "put", "delete"];
const MAX_DEPTH = 6;

const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};

/** Text in which `code` is marked. */
const prose = (text) =>
  element("span", {}, ...text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part)));

const resolve = (api, schema) =>
  schema?.$ref === undefined ? schema : api.components.schemas[schema.$ref.split("/").at(-1)];

const typeText = (schema) => {
  if (schema === undefined || schema === true || Object.keys(schema).length === 0) return "any JSON";
  if (schema.$ref !== undefined) return schema.$ref.split("/").at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return [...new Set(choices.map((choice) => typeText(choice)))].join(" | ");
  if (schema.type === "array") return `list of ${typeText(schema.items)}`;
  if (schema.type === "object" && schema.properties === undefined)
    return `map of ${typeText(schema.additionalProperties)}`;
  return [schema.type].flat().join(" | ");
};

/** The object whose fields are worth showing below a field of this type; null for none. */
const fieldsOf = (api, schema) => {
  const found = resolve(api, schema);
  if (found === undefined || found === true) return null;
  if (found.properties !== undefined) return found;
  const choices = found.anyOf ?? found.oneOf ?? [];
  const inner = choices.length > 0 ? choices : [found.items, found.additionalProperties];
  for (const choice of inner) {
    const fields = choice === undefined || typeof choice === "boolean" ? null : fieldsOf(api, choice);
    if (fields !== null) return fields;
  }
  return null;
};

const drawField = (api, [name, schema], required, depth) => {
  const head = [element("code", {}, name), " ", element("span", { class: "type" }, typeText(schema))];
  if (!required) head.push(element("span", { class: "quiet" }, " optional"));
  const { description } = resolve(api, schema) ?? {};
  if (description !== undefined) head.push(" ", prose(description));
  const fields = depth < MAX_DEPTH ? fieldsOf(api, schema) : null;
  if (fields === null) return element("li", {}, ...head);
  const details = element("details", {}, element("summary", {}, ...head));
  // Drawn when it is opened: the shapes refer to each other.
  details.addEventListener("toggle", () => details.append(drawShape(api, fields, depth + 1)), { once: true });
  return element("li", {}, details);
};

const drawShape = (api, schema, depth = 0) => {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {});
  return element(
    "ul",
    { class: "shape" },
    ...fields.map((field) => drawField(api, field, required.has(field[0]), depth)),
  );
};

const drawBody = (api, schema) => {
  const fields = fieldsOf(api, schema);
  return fields === null ? element("p", { class: "type" }, typeText(schema)) : drawShape(api, fields);
};

const drawParameters = (api, parameters) =>
  element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, ...["Parameter", "In", "Type", ""].map((text) => element("th", { scope: "col" }, text))),
    ),
    element(
      "tbody",
      {},
      ...parameters.map((one) =>
        element(
          "tr",
          {},
          element("td", {}, element("code", {}, one.name)),
          element("td", {}, one.in),
          element("td", { class: "type" }, typeText(one.schema)),
          element("td", {}, prose(one.description ?? (one.required ? "required" : ""))),
        ),
      ),
    ),
  );

const drawResponse = (api, [status, response]) => {
  const [media] = Object.values(response.content ?? {});
  const isProblem = response.content?.["application/problem+json"] !== undefined;
  return element(
    "div",
    {},
    element("h4", {}, `${status} `, element("span", { class: "quiet" }, prose(response.description))),
    media === undefined || isProblem ? null : drawBody(api, media.schema),
  );
};

const drawOperation = (api, operation) => {
  const { method, path, summary, description, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content["application/json"]?.schema;
  const inside = () => [
    description === undefined ? null : element("p", {}, prose(description)),
    operation["x-scope"] === undefined
      ? null
      : element("p", { class: "quiet" }, "Scope: ", element("code", {}, operation["x-scope"])),
    parameters.length === 0 ? null : drawParameters(api, parameters),
    body === undefined ? null : element("h4", {}, requestBody.required ? "Body" : "Body (optional)"),
    body === undefined ? null : drawBody(api, body),
    ...Object.entries(responses).map((response) => drawResponse(api, response)),
  ];
  const details = element(
    "details",
    {},
    element(
      "summary",
      {},
      element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("span", { class: "path" }, path),
      element("span", { class: "quiet" }, summary),
    ),
  );
  const open = () => details.append(element("div", { class: "inside" }, ...inside().filter((part) => part !== null)));
  details.addEventListener("toggle", open, { once: true });
  return element("article", { id: operation.operationId }, details);
};

const operationsOf = (api) =>
  Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => ({ path, method, ...item[method] })),
  );

/** Everything the filter looks at. */
const searchText = (operation) =>
  [
    operation.method,
    operation.path,
    operation.operationId,
    operation.summary,
    operation.description,
    operation.tags.join(" "),
    ...Object.entries(operation.responses).flatMap(([status, { description }]) => [status, description]),
  ]
    .join(" ")
    .toLowerCase();

const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))?.querySelector("details");
  if (target) target.open = true;
};

const draw = (api) => {
  const reference = document.getElementById("reference");
  const contents = document.getElementById("contents");
  const state = document.getElementById("state");
  document.getElementById("version").textContent = api.info.version;
  const groups = Map.groupBy(operationsOf(api), (operation) => operation.tags[0]);
  const shown = [];
  reference.append(element("p", {}, prose(api.info.description)));
  for (const [tag, operations] of groups) {
    const section = element("section", {}, element("h2", {}, tag));
    const heading = element("h2", {}, tag);
    contents.append(heading);
    const entries = operations.map((operation) => {
      const article = drawOperation(api, operation);
      const link = element("a", { href: `#${operation.operationId}` }, operation.summary);
      section.append(article);
      contents.append(link);
      return { article, link, text: searchText(operation) };
    });
    reference.append(section);
    shown.push({ section, heading, entries });
  }
  const filter = document.getElementById("filter");
  const apply = () => {
    const words = filter.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    let count = 0;
    for (const { section, heading, entries } of shown) {
      const matching = entries.filter((entry) => {
        const hit = words.every((word) => entry.text.includes(word));
        entry.article.hidden = entry.link.hidden = !hit;
        return hit;
      });
      section.hidden = heading.hidden = matching.length === 0;
      count += matching.length;
    }
    state.textContent = words.length === 0 ? `${count} operations` : `${count} operations match`;
  };
  filter.addEventListener("input", apply);
  apply();
  addEventListener("hashchange", openTarget);
  openTarget();
};

const load = async () => {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  draw(await response.json());
};

load().catch((error) => {
  document.getElementById("state").textContent = `The description of the API could not be loaded: ${error.message}.`;
});
