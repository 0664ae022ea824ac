// Tries a process from the page: reads its description, makes a form of it, sends an Execute request, shows status and outputs.
"use strict";

const SERVICE = new URL("wps", document.baseURI).pathname;
const WPS = "http://www.opengis.net/wps/1.0.0";
const OWS = "http://www.opengis.net/ows/1.1";
const XLINK = "http://www.w3.org/1999/xlink";

// ---- small helpers over DOM and XML (names are compared without their prefix: in WPS 1.0 some have one, some have none)

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const children = (node, name) => [...(node?.children ?? [])].filter((child) => child.localName === name);
const child = (node, ...path) => path.reduce((at, name) => children(at, name)[0], node);
const textOf = (node, ...path) => child(node, ...path)?.textContent.trim() ?? "";
const anywhere = (node, name) => [...node.getElementsByTagNameNS("*", name)];
const escapeXml = (text) => text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);

async function ask(address, options) {
  const answer = await fetch(address, { cache: "no-store", ...options });
  const xml = new DOMParser().parseFromString(await answer.text(), "text/xml");
  if (xml.querySelector("parsererror")) throw new Error(`the service answered ${answer.status} without an XML document`);
  const exception = anywhere(xml, "ExceptionReport")[0];
  if (exception && xml.documentElement === exception) throw new Error(reason(exception));
  return xml.documentElement;
}

const reason = (report) => anywhere(report, "ExceptionText").map((node) => node.textContent.trim()).join(" ")
  || anywhere(report, "Exception")[0]?.getAttribute("exceptionCode") || "no reason was given";

// ---- the form

function field(input) {
  const identifier = textOf(input, "Identifier");
  const literal = child(input, "LiteralData");
  const complex = child(input, "ComplexData");
  const id = `field-${Math.random().toString(36).slice(2)}`;
  const control = literal ? literalControl(literal) : element("textarea", { spellcheck: false });
  control.id = id;
  control.name = identifier;
  control.required = input.getAttribute("minOccurs") !== "0";
  control.dataset.kind = literal ? "literal" : complex ? "complex" : "bbox";
  if (literal) control.value = textOf(literal, "DefaultValue") || control.value;
  const hints = [];
  if (literal) hints.push(textOf(literal, "DataType"), range(literal));
  if (complex) {
    control.dataset.mime = textOf(complex, "Default", "Format", "MimeType");
    control.placeholder = "empty: the service's own example, if it has one";
    control.required = false;
    hints.push(control.dataset.mime);
  }
  if (!literal && !complex) {
    control.placeholder = "minx,miny,maxx,maxy";
    hints.push("bounding box: " + textOf(input, "BoundingBoxData", "Default", "CRS"));
  }
  const label = element("label", { htmlFor: id }, textOf(input, "Title") || identifier, " ");
  label.append(element("span", { className: "hint" }, `${identifier} · ${hints.filter(Boolean).join(", ")}`));
  return element("div", { className: "field" }, label, control);
}

function literalControl(literal) {
  const values = children(child(literal, "AllowedValues"), "Value").map((node) => node.textContent);
  const type = textOf(literal, "DataType");
  if (type === "boolean") values.push("true", "false");
  if (values.length) return element("select", {}, ...values.map((value) => element("option", { value }, value)));
  const number = ["integer", "float", "double", "positiveInteger", "nonNegativeInteger", "scale"].includes(type);
  const control = element("input", { type: number ? "number" : "text" });
  if (number) control.step = /nteger/.test(type) ? "1" : "any";
  const allowed = child(literal, "AllowedValues", "Range");
  if (number && allowed) {
    control.min = textOf(allowed, "MinimumValue");
    control.max = textOf(allowed, "MaximumValue");
  }
  return control;
}

function range(literal) {
  const allowed = child(literal, "AllowedValues", "Range");
  return allowed ? `${textOf(allowed, "MinimumValue")} to ${textOf(allowed, "MaximumValue")}` : "";
}

// ---- the request

function dataOf(control) {
  const value = escapeXml(control.value);
  if (control.dataset.kind === "literal") return `<wps:LiteralData>${value}</wps:LiteralData>`;
  if (control.dataset.kind === "complex") {
    return `<wps:ComplexData mimeType="${escapeXml(control.dataset.mime)}">${value}</wps:ComplexData>`;
  }
  const [minx, miny, maxx, maxy] = control.value.split(",").map((part) => escapeXml(part.trim()));
  return "<wps:BoundingBoxData dimensions=\"2\">"
    + `<ows:LowerCorner>${minx} ${miny}</ows:LowerCorner><ows:UpperCorner>${maxx} ${maxy}</ows:UpperCorner>`
    + "</wps:BoundingBoxData>";
}

function executeRequest(identifier, form, inBackground) {
  const inputs = [...form.querySelectorAll("[data-kind]")].filter((control) => control.value !== "");
  const given = inputs.map((control) =>
    `<wps:Input><ows:Identifier>${escapeXml(control.name)}</ows:Identifier><wps:Data>${dataOf(control)}</wps:Data></wps:Input>`);
  const response = `<wps:ResponseDocument storeExecuteResponse="${inBackground}" status="${inBackground}"/>`;
  return `<?xml version="1.0" encoding="UTF-8"?><wps:Execute service="WPS" version="1.0.0" xmlns:wps="${WPS}" xmlns:ows="${OWS}">`
    + `<ows:Identifier>${escapeXml(identifier)}</ows:Identifier><wps:DataInputs>${given.join("")}</wps:DataInputs>`
    + `<wps:ResponseForm>${response}</wps:ResponseForm></wps:Execute>`;
}

// The service may be known by another name than the one in the address bar; the path is the same.
const onThisServer = (address) => new URL(address, document.baseURI).pathname;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function run(identifier, form) {
  const inBackground = form.elements["jove-async"].checked;
  const body = executeRequest(identifier, form, inBackground);
  let answer = await ask(SERVICE, { method: "POST", body, headers: { "Content-Type": "text/xml" } });
  const where = answer.getAttribute("statusLocation");
  for (let wait = 200; ; wait = Math.min(wait * 1.3, 2000)) {
    const status = child(answer, "Status");
    const failed = child(status, "ProcessFailed");
    if (failed) throw new Error(reason(failed));
    if (child(status, "ProcessSucceeded")) return answer;
    const going = child(status, "ProcessStarted");
    show(form, going ? going.textContent.trim() : "accepted, waiting for its turn", "");
    progress(form, Number(going?.getAttribute("percentCompleted") ?? 0));
    if (!where) throw new Error("the service gave no address for the status of the job");
    await pause(wait);
    answer = await ask(onThisServer(where));
  }
}

// ---- what is shown

function show(form, text, kind) {
  const status = form.querySelector(".status");
  status.textContent = text;
  status.className = `status ${kind}`;
}

function progress(form, percent) {
  const box = form.querySelector(".progress");
  box.hidden = percent === null;
  box.querySelector("progress").value = percent ?? 0;
  box.querySelector(".percent").textContent = percent === null ? "" : `${percent} %`;
}

function showOutputs(form, answer) {
  const list = form.querySelector(".outputs");
  for (const output of children(child(answer, "ProcessOutputs"), "Output")) {
    list.append(element("div", {}, element("dt", {}, textOf(output, "Title") || textOf(output, "Identifier")),
      element("dd", {}, ...value(output))));
  }
  list.hidden = list.children.length === 0;
}

function value(output) {
  const reference = child(output, "Reference");
  if (reference) {
    const address = reference.getAttribute("href") ?? reference.getAttributeNS(XLINK, "href");
    const path = onThisServer(address);
    const shown = [element("a", { href: path }, address)];
    if ((reference.getAttribute("mimeType") ?? "").startsWith("image/")) {
      shown.push(element("img", { src: path, alt: textOf(output, "Title") }));
    }
    return shown;
  }
  const complex = child(output, "Data", "ComplexData");
  if (complex) return [element("pre", { tabIndex: 0 }, pretty(complex))];
  const box = child(output, "BoundingBoxData") ?? child(output, "Data", "BoundingBoxData");
  if (box) return [`${textOf(box, "LowerCorner")} to ${textOf(box, "UpperCorner")}`];
  return [textOf(output, "Data", "LiteralData")];
}

function pretty(complex) {
  const text = complex.children.length ? complex.innerHTML : complex.textContent;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text.trim();
  }
}

// ---- the button of each process

async function open(process, button) {
  const identifier = process.dataset.process;
  const form = document.getElementById("form").content.firstElementChild.cloneNode(true);
  const query = new URLSearchParams({ service: "WPS", version: "1.0.0", request: "DescribeProcess", identifier });
  const description = anywhere(await ask(`${SERVICE}?${query}`), "ProcessDescription")[0];
  const inputs = children(child(description, "DataInputs"), "Input");
  form.querySelector(".inputs").append(...inputs.map(field));
  form.querySelector(".inputs").hidden = inputs.length === 0;
  form.querySelector(".check").hidden = description.getAttribute("statusSupported") !== "true";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const submit = form.querySelector("button");
    submit.disabled = true;
    form.querySelector(".outputs").replaceChildren();
    form.querySelector(".outputs").hidden = true;
    show(form, "running …", "");
    try {
      const answer = await run(identifier, form);
      show(form, "finished", "good");
      showOutputs(form, answer);
    } catch (error) {
      show(form, `failed: ${error.message}`, "bad");
    }
    progress(form, null);
    submit.disabled = false;
  });
  process.append(form);
  button.setAttribute("aria-expanded", "true");
  form.querySelector(".field input, .field select, .field textarea, button").focus();
}

for (const process of document.querySelectorAll(".process")) {
  const button = element("button", { type: "button", className: "plain" }, "Try it");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", `Try ${process.querySelector("h3").firstChild.textContent.trim()}`);
  button.addEventListener("click", async () => {
    const form = process.querySelector("form");
    if (form) {
      form.hidden = !form.hidden;
      button.setAttribute("aria-expanded", String(!form.hidden));
      return;
    }
    button.disabled = true;
    try {
      await open(process, button);
    } catch (error) {
      process.append(element("p", { className: "status bad" }, `the description could not be read: ${error.message}`));
    }
    button.disabled = false;
  });
  process.querySelector(".links").prepend(button);
}
