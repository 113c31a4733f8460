/**
 * The bench's origin as a process of its own: `main.ts CERT_FOLDER` prints the ports, plain and TLS, and serves.
 * @module
 */
import { answer } from "./answers.ts";
import { serve } from "./server.ts";

const [folder] = Deno.args;
const plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const secure = Deno.listenTls({
  hostname: "127.0.0.1",
  port: 0,
  cert: await Deno.readTextFile(`${folder}/cert.pem`),
  key: await Deno.readTextFile(`${folder}/key.pem`),
});
serve(plain, answer);
serve(secure as Deno.Listener<Deno.Conn>, answer);
console.log(`listening ${plain.addr.port} ${secure.addr.port}`);
