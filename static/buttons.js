import { deleteCourse } from "./coursecast.js";
import { $, h, setText } from "./dom.js";

export const say = (text) => setText($("spoken"), text);

/** A button at work keeps its place and focus, but does nothing. */
export async function whileBusy(button, label, work) {
	if (button.ariaDisabled) return;
	const { textContent, offsetWidth } = button;
	button.style.minWidth = `${offsetWidth}px`; // what is beside it stays
	button.ariaDisabled = "true";
	button.textContent = label;
	await work();
	button.ariaDisabled = null;
	button.textContent = textContent;
}

/** Ask, and delete a course → whether it is gone. */
export async function deleteIfSure(title, id) {
	const dialog = $("sure");
	setText(dialog.querySelector("p"), title);
	dialog.showModal();
	// Not `close`: that may come when it asks about another course.
	const sure = await new Promise((done) => {
		dialog.onsubmit = ({ submitter }) => done(submitter.value);
		dialog.oncancel = () => done("");
	});
	if (!sure) return false;
	const error = await deleteCourse(id).catch((failure) => failure);
	const gone = !error || error.status === 404;
	say(gone ? `Deleted: ${title}` : error.message);
	return gone;
}

export const copyFrom = (url, button) => whileBusy(button, "Copying…", async () => {
	const copied = await fetch(url).then((response) => response.ok ? response.text() : Promise.reject()).then(copy).catch(() => false);
	button.textContent = copied ? "Copied" : "That did not work";
	say(button.textContent);
	await new Promise((done) => setTimeout(done, 1500));
});

async function copy(text) {
	// In secure contexts only.
	if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true);
	const { activeElement } = document;
	const area = h("textarea");
	area.value = text;
	document.body.append(area);
	area.focus();
	area.select();
	const copied = document.execCommand("copy");
	area.remove();
	activeElement.focus();
	return copied;
}
