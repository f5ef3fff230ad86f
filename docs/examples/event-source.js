/** Follow a course with what every browser has; `onEvent(name, value)` gets all that comes. */
export function follow(baseUrl, courseId, onEvent) {
  const stream = new EventSource(`${baseUrl}/courses/${courseId}/events`);
  for (const name of ["update", "draft", "reset", "end"]) {
    stream.addEventListener(name, ({ data }) => onEvent(name, JSON.parse(data)));
  }
  stream.addEventListener("end", () => stream.close());
  return stream;
}
