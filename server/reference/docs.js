/** The API reference: `/openapi.json` as a page. Everything is made with the DOM; nothing is read as HTML. */

const $ = (id) => document.getElementById(id);
const METHODS = ["get", "post", "put", "patch", "delete"];
let api;

/** An element: `make("p", {className: "x"}, "text", child)`. Empty children are left out. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}
const list = (rows) => rows.length > 0 && make("dl", { className: "members" }, rows);
const heading = (text) => make("h3", {}, text);
const code = (text) => make("code", {}, text);
const small = (...text) => make("span", { className: "type" }, text);

/** Text with `code` in backticks, as nodes. */
const inline = (text) => text.split("`").map((piece, i) => (i % 2 ? code(piece) : piece));

/** The little Markdown that descriptions use: paragraphs, lists, code. */
function prose(text = "") {
  return text.trim().split(/\n\n+/).filter(Boolean).map((block) => (block.startsWith("- ")
    ? make("ul", {}, block.slice(2).split(/\n- /).map((item) => make("li", {}, inline(item))))
    : make("p", {}, inline(block))));
}

/** What a local reference points at; other values as they are. */
const resolved = (value) => (value.$ref ? value.$ref.slice(2).split("/").reduce((node, key) => node[key], api) : value);
const nameOf = (schema) => schema.$ref.split("/").at(-1);

/** A schema in a few words: `array of Part`, `integer 1…100, default 20`. */
function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (options) return options.map(typeOf).join(" | ");
  if (schema.type === "array") return `array of ${typeOf(schema.items)}`;
  const low = schema.minimum ?? schema.minLength ?? "";
  const high = schema.maximum ?? schema.maxLength ?? "";
  const range = low === high ? "" : ` ${low}…${high}${schema.type === "string" ? " characters" : ""}`;
  return `${schema.type ?? "any"}${schema.format ? ` (${schema.format})` : ""}${range}`;
}

/** The schemas with names of their own that a schema mentions. */
function mentioned({ $ref, oneOf = [], anyOf = [], allOf = [], items }) {
  return $ref ? [{ $ref }] : [...oneOf, ...anyOf, ...allOf, ...(items ? [items] : [])].flatMap(mentioned);
}

/** A named schema, to be opened; filled when it is, because schemas contain each other. */
function named(schema, properties) {
  const details = make("details", properties, make("summary", {}, code(nameOf(schema))));
  details.addEventListener("toggle", () => details.append(...members(resolved(schema))), { once: true });
  return details;
}

/** A member or parameter. */
function row(name, schema, description, remark, where = "") {
  const fallback = schema.default ?? null;
  return [
    make("dt", {}, code(name), small(where, typeOf(schema), fallback !== null && `, default ${JSON.stringify(fallback)}`), small(remark)),
    make("dd", {}, prose(description), mentioned(schema).map((part) => named(part))),
  ];
}

/** What is in a schema, as nodes. */
function members(schema) {
  const others = mentioned(schema).map((part) => named(part));
  const rows = Object.entries(schema.properties ?? {}).map(([name, member]) =>
    row(name, member, member.description, schema.required?.includes(name) ? "" : "optional"));
  return [
    ...prose(schema.description),
    others.length > 0 && heading(schema.allOf ? "Everything in" : "One of"),
    ...others,
    list(rows) || (!others.length && small(typeOf(schema))),
  ].filter(Boolean);
}

function contentOf(content = {}) {
  return Object.entries(content).map(([type, { schema, "x-events": events = {} }]) =>
    [small(type), schema.properties ? members(schema) : [schema, ...Object.values(events)].flatMap(mentioned).map((part) => named(part))]);
}

function answerOf([status, reference]) {
  const { description, headers = {}, content } = resolved(reference);
  const lines = Object.entries(headers).map(([name, header]) => make("p", {}, code(name), ": ", inline(header.description)));
  return [make("dt", {}, code(status)), make("dd", {}, prose(description), lines, contentOf(content))];
}

function socketOf({ sends, receives, close_codes }) {
  const codes = Object.entries(close_codes).map(([number, word]) => `${number} ${word}`);
  return [heading("It sends"), named(sends), heading("It takes"), named(receives), heading("Close codes"), make("p", {}, codes.join(", "))];
}

/** The command that tries a route out. */
function tryOut(method, path, { requestBody, responses }) {
  const stream = "text/event-stream" in (responses[200]?.content ?? {}) ? " -N" : "";
  const isForm = "multipart/form-data" in (requestBody?.content ?? {});
  const json = ` -H 'Content-Type: application/json' -d '{"query":"Learn DCF valuation","hours":2.0}'`;
  const body = isForm ? " -F file=@book.epub" : requestBody ? json : "";
  return make("pre", {}, `curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`}${stream} ${location.origin}${path}${body}`);
}

function operationNode(path, method, operation, shared = []) {
  const socket = operation["x-websocket"];
  const verb = socket ? "ws" : method;
  const parameters = [...shared, ...(operation.parameters ?? [])].map((found) =>
    row(found.name, found.schema, found.description, found.required && "required", `${found.in}, `));
  return make("details", { className: "operation", id: operation.operationId },
    make("summary", {}, make("span", { className: verb }, verb.toUpperCase()), code(path), make("span", {}, operation.summary)),
    prose(operation.description),
    parameters.length > 0 && heading("Parameters"), list(parameters),
    operation.requestBody && [heading("Body"), contentOf(operation.requestBody.content)],
    socket ? socketOf(socket) : [heading("Answers"), list(Object.entries(operation.responses).map(answerOf)), tryOut(method, path, operation)]);
}

function section(name, description, nodes) {
  const title = name[0].toUpperCase() + name.slice(1);
  $("contents").append(make("a", { href: `#${name}` }, title));
  $("reference").append(make("section", {}, make("h2", { id: name }, title), prose(description), nodes));
}

function render() {
  $("version").textContent = api.info.version;
  $("about").append(...prose(api.info.description));
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.keys(item).filter((key) => METHODS.includes(key)).map((method) => [path, method, item[method], item.parameters]));
  for (const { name, description } of api.tags) {
    section(name, description, operations.filter(([, , { tags }]) => tags.includes(name)).map((found) => operationNode(...found)));
  }
  section("schemas", "Everything that is sent and answered.", Object.keys(api.components.schemas).map((name) =>
    named({ $ref: `#/components/schemas/${name}` }, { className: "schema", id: name })));
}

/** Open what the address names. */
function openTarget() {
  const target = $(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
  target?.scrollIntoView();
}

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  api = await response.json();
  render();
  $("notice").hidden = true;
  openTarget();
  addEventListener("hashchange", openTarget);
} catch (error) {
  $("notice").textContent = `The reference could not be loaded: ${error.message}`;
}
