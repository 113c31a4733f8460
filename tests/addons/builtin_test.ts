import { assertEquals } from "@std/assert";
import { builtinAddons, dumper, recorders } from "../../addons/mod.ts";
import { AddonManager } from "../../src/hooks/mod.ts";
import * as weir from "../../src/mod.ts";
import { addonHost, httpFlow, respond } from "../support/addon_host.ts";

for (const source of [...builtinAddons, ...recorders, dumper]) {
  Deno.test(`with its options at their defaults, ${source.name} looks at no bodies and keeps no flows`, async () => {
    const host = addonHost();
    const manager = new AddonManager(host.ctx, host.options, weir);
    await manager.load([source]);
    try {
      await manager.configure(new Set(host.options.names()));
      const flow = httpFlow();
      const response = respond(flow);
      const { dispatcher } = manager;
      assertEquals(dispatcher.readsBody(flow.request, flow), false, "a request body");
      assertEquals(dispatcher.readsBody(response, flow), false, "a response body");
      assertEquals(dispatcher.keepsTcp, false, "raw connections");
    } finally {
      await manager.done();
      await manager.close();
    }
  });
}
