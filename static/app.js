/** The page: `/` asks for a course (ask.js), `/c/{id}` follows one (follow.js). */

import { listen, showStart } from "./ask.js";
import { $ } from "./dom.js";
import { follow } from "./follow.js";

let here; // the path that is shown; a jump within a page is none
let leave; // closes what the view holds open

function route(known) {
	if (location.pathname === here) return;
	here = location.pathname;
	leave?.();
	const [, id] = /^\/c\/([^/]+)/.exec(here) ?? [];
	$("start").hidden = id;
	$("course").hidden = !id;
	document.title = "Coursecast";
	leave = id ? follow(id, known, () => go("/")) : showStart();
}

/** Go to a path of ours, and let the focus follow to its heading. */
function go(path, known) {
	history.pushState(null, "", path);
	route(known);
	scrollTo(0, 0);
	document.querySelector("main > :not([hidden]) h1").focus();
}

listen((id, request) => go(`/c/${id}`, request));
addEventListener("popstate", () => route());
route();
