/**
 * Poll a course until it is over, with nothing but `fetch`: calls `onStatus(view)` whenever something changed, and
 * returns the last view.
 */
export async function poll(baseUrl, courseId, onStatus) {
  let etag = "";
  let failures = 0;
  for (;;) {
    let waitS = Math.min(30, 2 ** failures);
    try {
      const response = await fetch(`${baseUrl}/courses/${courseId}/status`, {
        headers: etag ? { "If-None-Match": etag } : {},
        signal: AbortSignal.timeout(10_000),
      });
      if (response.status === 404) throw new RangeError("There is no such course.");
      waitS = Number(response.headers.get("Retry-After")) || waitS;
      if (response.ok || response.status === 304) failures = 0;
      if (response.ok) {
        etag = response.headers.get("ETag");
        const view = await response.json();
        onStatus(view);
        if (view.status !== "processing") return view;
      }
    } catch (error) {
      if (error instanceof RangeError) throw error;
      failures += 1; // no answer: the course goes on, and so do we
    }
    await new Promise((done) => setTimeout(done, waitS * 1000));
  }
}
