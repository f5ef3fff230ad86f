// Watch a course as a program on Node does, and print what came, one JSON line an event:
//     node watch.mjs eventsource|fetch|websocket URL
import { EventSource } from "eventsource";
import { EventSourceParserStream } from "eventsource-parser/stream";

const NAMES = ["update", "draft", "reset", "ping", "end"];
const [how, url] = process.argv.slice(2);
const tell = (event, data) => process.stdout.write(`${JSON.stringify([event, data])}\n`);

const ways = {
  eventsource() {
    const source = new EventSource(url);
    const busy = setInterval(() => {}, 60_000); // its own timer does not keep a process from ending
    for (const name of NAMES) source.addEventListener(name, ({ data }) => tell(name, data));
    source.addEventListener("error", ({ code }) => {
      if (source.readyState !== EventSource.CLOSED) return;
      tell("closed", String(code));
      clearInterval(busy);
    });
  },
  async fetch() {
    const { body } = await fetch(url);
    const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const { event, data } of events) tell(event, data);
  },
  websocket() {
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => tell(JSON.parse(data).event, data);
    socket.onclose = ({ code }) => tell("closed", String(code));
  },
};

await ways[how]();
