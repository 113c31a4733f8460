/** A gateway in a process of its own, so that its memory can be measured: prints its port, and at the end its growth. */
import { startGateway } from "./gateway.ts";

const gateway = startGateway(Number(Deno.args[0]), {
  stream: Deno.args[1] === "stream",
  onMessage: () => {},
});
console.log(gateway.url);
let first = 0, peak = 0;
const timer = setInterval(() => {
  const { rss } = Deno.memoryUsage();
  // The first of them: code is loaded, and little has passed yet.
  if (first === 0 && (gateway.conversations[0]?.data.messages.length ?? 0) > 0) first = rss;
  peak = Math.max(peak, rss);
}, 5);
while (gateway.conversations.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
const [{ data, ended }] = gateway.conversations;
await ended;
clearInterval(timer);
const kept = data.messages.reduce((sum, message) => sum + message.size, 0);
console.log(JSON.stringify({ growth: peak - first, count: data.messages.length + data.forgotten, kept }));
await gateway.close();
