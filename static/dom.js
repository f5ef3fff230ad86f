/** Elements: made, kept, moved. Text is only ever text. */

export const $ = (id) => document.getElementById(id);
export const setText = (element, text) => element.textContent !== text && (element.textContent = clip(text));
// A very long word takes seconds to lay out.
const clip = (text) => (text.length > 2000 ? `${text.slice(0, 2000)}…` : text);

/** An element ("p" or "p.why") with attributes, `text` or children. Text from outside may run right to left. */
export function h(kind, { text, ...attributes } = {}, ...children) {
	const [tag, className = ""] = kind.split(".");
	const element = Object.assign(document.createElement(tag), { className });
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	if (text) element.dir = "auto";
	element.append(...(text ? [clip(text)] : children));
	return element;
}

/** Texts in one line, each with a direction of its own. */
export const line = (...texts) => texts.filter(Boolean).flatMap((text, i) => [i ? " · " : "", h("bdi", { text })]);

/** Whether an address can be opened: an own book's may be a file name. */
export const isLink = (href) => /^https?:\/\//i.test(href);

/** A link in a new tab, or plain text. */
export const outside = (href, text) =>
	isLink(href) ? h("a", { href, text, target: "_blank", rel: "noopener" }) : h("span", { text });

export const differ = (a, b) => a !== b && JSON.stringify(a) !== JSON.stringify(b);

/** Make a list show `items`, one element per `item[key]`; `fill(element, item)` runs where an item changed. */
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
		if (Object.keys(item).some((name) => differ(drawn?.[name], item[name]))) fill(element, item);
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
let curtain = 0; // when the newest is shown

/** Fade in what is new, one after the other, within two seconds. */
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

let waiting, asked;
const gliding = new Map(); // block → how far it is (`at`) from its place, and since when it comes from where

/** Run `draw` in the next frame; a hidden tab has none. A frame draws or glides: both would make what glides jump. */
export function inFrame(draw) {
	if (draw && document.hidden) return draw();
	waiting = draw;
	asked ??= requestAnimationFrame((now) => {
		const turn = waiting ?? (() => gliding.forEach((way, block) => place(block, way, now)));
		asked = waiting = undefined;
		turn();
		if (gliding.size) inFrame(waiting);
	});
}

function place(block, { from, since }, now) {
	const left = Math.max(0, 1 - (now - since) / 250);
	const at = from * left * left;
	block.style.translate = at ? `0 ${at}px` : "";
	if (at) gliding.set(block, { from, since, at });
	else gliding.delete(block);
}

/** Run `draw`; the part that is read stays in place, what was pushed aside glides there. */
export function glide(draw) {
	const top = (block) => block.getBoundingClientRect().top;
	const before = new Map([...document.querySelectorAll(".block")].map((block) => [block, top(block)]));
	const read = scrollY && [...before.keys()].findLast((block) => block.matches(".part") && before.get(block) < innerHeight / 3);
	draw();
	// How far the window scrolls along. A browser that anchors scrolling does so itself, unless what is
	// around the anchor moves: only what follows glides.
	const drift = read ? top(read) - before.get(read) : 0;
	const moved = new Map();
	for (const [block, was] of before) {
		if (block.isConnected && (!read || read.compareDocumentPosition(block) & 4)) moved.set(block, was + drift - top(block));
	}
	if (!CSS.supports("overflow-anchor: auto")) scrollBy({ top: drift, behavior: "instant" });
	if (still()) return;
	const since = performance.now();
	for (const [block, distance] of moved) {
		const own = distance - (moved.get(block.parentElement.closest(".block")) ?? 0);
		if (Math.abs(own) >= 1) place(block, { from: own + (gliding.get(block)?.at ?? 0), since }, since);
	}
}
