/** Elements: made, kept, moved. Text from models and books is set through `textContent` only. */

export const $ = (id) => document.getElementById(id);
export const setText = (element, text) => element.textContent !== text && (element.textContent = text);

/** An element with attributes, `text` or children. Text from outside may run right to left. */
export function h(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.dir = "auto";
  element.append(...(text ? [text] : children));
  return element;
}

/** Texts in one line, each with a direction of its own. */
export const line = (...texts) => texts.filter(Boolean).flatMap((text, i) => [i ? " · " : "", h("bdi", { text })]);

/** A link in a new tab; plain text where the address is not http(s). */
export const outside = (href, text) =>
  /^https?:\/\//i.test(href) ? h("a", { href, text, target: "_blank", rel: "noopener noreferrer" }) : h("span", { text });

/**
 * Make the list show `items`: the same element for the same `item[key]`, in order. `fill(element, item)` runs for new
 * elements and for those whose item changed.
 */
export function keyed(list, items, key, fill) {
  const known = list.keyed ?? new Map();
  list.keyed = new Map();
  let place = list.firstElementChild;
  for (const item of items) {
    const element = known.get(item[key]) ?? h("li");
    const { drawn } = element;
    known.delete(item[key]);
    list.keyed.set(item[key], element);
    element.drawn = item;
    if (drawn !== item && JSON.stringify(drawn) !== JSON.stringify(item)) fill(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of known.values()) element.remove();
}

export const keyedLines = (list, texts) =>
  keyed(list, texts.map((text, i) => ({ text, i })), "i", (element, { text }) => {
    element.dir = "auto";
    setText(element, text);
  });

const still = () => document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches;
let curtain = 0; // when the newest newcomer is shown

/** Fade in what is new, one after the other, within two seconds. All of it is there at once. */
export function reveal(elements, animated) {
  for (const element of elements) {
    if (element.shown) continue;
    element.shown = true;
    if (!animated || still()) continue;
    const now = performance.now();
    curtain = Math.max(now, curtain + 70);
    element.animate({ opacity: [0, 1] }, { duration: 400, delay: Math.min(1600, curtain - now), fill: "backwards" });
  }
}

/**
 * Run `draw` so that nobody loses the line: the part at the top of a scrolled window stays there, and what was
 * pushed aside glides from its old place to the new one.
 */
export function glide(draw) {
  const top = (block) => block.getBoundingClientRect().top;
  const before = new Map([...document.querySelectorAll(".block")].map((block) => [block, top(block)]));
  const read = scrollY && [...before.keys()].findLast((block) => block.matches(".part") && before.get(block) < innerHeight / 3);
  draw();
  if (read) scrollBy({ top: top(read) - before.get(read), behavior: "instant" });
  if (still()) return;
  const moved = new Map([...before].filter(([block]) => block.isConnected).map(([block, was]) => [block, was - top(block)]));
  for (const [block, distance] of moved) {
    const own = distance - (moved.get(block.parentElement.closest(".block")) ?? 0);
    // "add": what still glides from before goes on, and this comes on top.
    if (Math.abs(own) >= 1) block.animate({ translate: [`0 ${own}px`, "0 0"] }, { duration: 250, easing: "ease-out", composite: "add" });
  }
}
