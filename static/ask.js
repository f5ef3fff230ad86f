/** The start: the form, and the courses there are. */

import { deleteIfSure, whileBusy } from "./buttons.js";
import { createCourse, listCourses } from "./coursecast.js";
import { $, h, keyed, line } from "./dom.js";

const form = $("ask");

/** Show what the address asks for (`/?query=…&hours=…`). */
export function showStart() {
	for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
	drawRecent();
}

/** Let the form call `onAsked(course_id, request)`. */
export function listen(onAsked) {
	form.onsubmit = (event) => {
		event.preventDefault();
		whileBusy(form.lastElementChild, "Starting…", () => submit(onAsked));
	};
	form.onclick = ({ target }) => {
		if (!target.matches(".chip")) return;
		form.query.value = target.textContent;
		form.hours.value = target.dataset.hours;
		form.requestSubmit();
	};
	form.query.onkeydown = (event) => {
		if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
		event.preventDefault();
		form.requestSubmit();
	};
}

async function submit(onAsked) {
	for (const error of form.querySelectorAll(".error")) error.textContent = "";
	for (const input of form.querySelectorAll("[aria-invalid]")) input.ariaInvalid = null;
	const entries = [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
	const { query, hours = null, ...preferences } = Object.fromEntries(entries);
	if (!query) return showError({ field: "query", message: "Say what you would like to learn." });
	const request = { query, hours: hours && Number(hours), preferences };
	await createCourse(request).then(({ course_id: id }) => onAsked(id, request), showError);
}

/** The server judges: its answer goes under the field that it names. */
function showError({ field, message }) {
	const place = $(`${field}-error`);
	(place ?? $("form-error")).textContent = message;
	if (!place) return;
	form[field].ariaInvalid = "true";
	form[field].focus();
}

async function drawRecent() {
	// Not for everybody to see (403), or away: the page is complete without it.
	const { courses } = await listCourses().catch(() => ({ courses: [] }));
	$("recent").hidden = !courses.length;
	const list = $("recent").lastElementChild;
	keyed(list, courses, "course_id", (element, { course_id: id, hours, status, title, query }) => {
		const name = title ?? query;
		const remove = h("button", { "aria-label": `Delete ${name}` }, "Delete");
		remove.onclick = async () => {
			if (!(await deleteIfSure(name, id))) return;
			const place = [...list.children].indexOf(element);
			await drawRecent();
			((list.children[place] ?? list.lastElementChild)?.lastChild ?? form.query).focus();
		};
		const state = { processing: "being written", error: "stopped" }[status];
		element.replaceChildren(h("a", { href: `/c/${id}`, text: name }), h("span", {}, ...line(`${hours} h`, state)), remove);
	});
}
