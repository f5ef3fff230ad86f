/** The task whose single result a message is: its drafts are over. */
const taskOf = ({ type, part_index: part }) =>
	({ parts_generated: "parts", part_sections_generated: `sections:${part}`, outline_reviewed: "review" })[type];

/** How far a viewer has read, and which drafts are news to it. No I/O. */
export class Cursor {
	constructor(seq = 0) {
		this.restart(seq);
	}

	restart(seq = 0) {
		Object.assign(this, { seq, stopped: false, finished: new Set(), fence: -Infinity, newest: new Map() });
	}

	/** "next" (and moves on), "seen", or "gap" when messages before this one are missing. */
	take(message) {
		if (message.seq <= this.seq) return "seen";
		if (message.seq > this.seq + 1) return "gap";
		this.seq = message.seq;
		this.stopped = message.status !== "processing";
		this.finished.add(taskOf(message));
		return "next";
	}

	/** Whether a draft is news: its task open, its run not replaced, its text newer than what was shown. */
	takeDraft({ task, fence, n }) {
		if (this.stopped || this.finished.has(task) || fence < this.fence) return false;
		if (fence > this.fence) this.newest.clear();
		this.fence = fence;
		if (n <= this.newest.get(task)) return false;
		this.newest.set(task, n);
		return true;
	}
}
