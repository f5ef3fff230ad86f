import { useEffect, useReducer, useState } from "react";
import { watchCourse } from "./coursecast/coursecast.js";
import { emptyCourse, fold, foldDraft } from "./coursecast/course.js";

const nothing = (courseId) => ({ course: emptyCourse(courseId), connection: { state: "connecting" }, error: null });

function reduce(state, [what, value]) {
  switch (what) {
    case "begin":
    case "reset":
      return nothing(value);
    case "update":
      return { ...state, course: fold(state.course, value) };
    case "draft":
      return { ...state, course: foldDraft(state.course, value) };
    default:
      return { ...state, [what]: value };
  }
}

/**
 * A course while it is being written: `{course, connection, error, watchAgain}`. `course` is the fold of all that
 * has happened to it, `error` says why watching it was given up. A course that stopped is watched no more: call
 * `watchAgain()` after `retryCourse`.
 */
export function useCourse(courseId, { baseUrl = "" } = {}) {
  const [state, dispatch] = useReducer(reduce, courseId, nothing);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!courseId) return undefined;
    dispatch(["begin", courseId]);
    const watch = watchCourse(courseId, {
      baseUrl,
      onUpdate: (message) => dispatch(["update", message]),
      onDraft: (draft) => dispatch(["draft", draft]),
      onReset: () => dispatch(["reset", courseId]),
      onError: (error) => dispatch(["error", error]),
      onConnection: (connection) => dispatch(["connection", connection]),
    });
    return () => watch.close();
  }, [courseId, baseUrl, turn]);
  return { ...state, watchAgain: () => setTurn((before) => before + 1) };
}
