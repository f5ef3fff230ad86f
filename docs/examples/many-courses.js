/**
 * Follow any number of courses on one WebSocket. `on(event, message)` gets each "update" of each course once and in
 * order, and its "draft", "reset", "end" and "error". Returns `{add(courseId, after = 0), remove(courseId), close()}`.
 */
export function followMany(baseUrl, on) {
  const cursors = new Map(); // course → the newest seq we have
  let failures = 0;
  let socket, timer;

  function say(type, courseId) {
    if (socket.readyState !== WebSocket.OPEN) return; // said when it opens
    socket.send(JSON.stringify({ type, course_id: courseId, after: cursors.get(courseId) }));
  }

  function hear({ event, ...message }) {
    const { course_id: courseId, seq } = message;
    failures = 0;
    if (!cursors.has(courseId) || event === "subscribed") return; // a ping, a course just removed
    if (event === "update" && seq <= cursors.get(courseId)) return; // subscribed twice
    if (event === "update") cursors.set(courseId, seq);
    if (event === "reset") cursors.set(courseId, 0);
    if (event === "end" || event === "error") cursors.delete(courseId);
    on(event, message);
  }

  function connect() {
    socket = new WebSocket(`${baseUrl.replace(/^http/, "ws")}/ws`);
    socket.onopen = () => cursors.forEach((_, courseId) => say("subscribe", courseId));
    socket.onmessage = ({ data }) => hear(JSON.parse(data));
    socket.onclose = ({ code }) => {
      if ([1000, 4400, 4401, 4404].includes(code)) return; // it means: stop
      const waitMs = code === 4429 ? 15_000 : Math.random() * Math.min(30_000, 1000 * 2 ** failures++);
      timer = setTimeout(connect, waitMs);
    };
  }

  connect();
  return {
    add(courseId, after = 0) {
      cursors.set(courseId, after);
      say("subscribe", courseId);
    },
    remove(courseId) {
      if (cursors.delete(courseId)) say("unsubscribe", courseId);
    },
    close() {
      clearTimeout(timer);
      socket.close(1000);
    },
  };
}
