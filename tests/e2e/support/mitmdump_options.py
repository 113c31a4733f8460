"""Lets a test change the options of a running mitmdump: a command line as JSON, one a line, on a port that is printed."""

import asyncio
import json

from mitmproxy import ctx
from mitmproxy.tools import cmdline, main

RULES = (
    "anticache anticomp block_list map_local map_remote modify_body modify_headers proxyauth server_replay "
    "server_replay_ignore_content server_replay_ignore_host server_replay_ignore_params "
    "server_replay_ignore_payload_params server_replay_ignore_port server_replay_nopop server_replay_refresh "
    "server_replay_use_headers stickyauth stickycookie"
).split()


class Control:
    async def serve(self, reader, writer):
        while line := await reader.readline():
            try:
                self.use(json.loads(line))
                reply = "ok"
            except BaseException as error:
                reply = repr(error)
            writer.write(reply.encode() + b"\n")
            await writer.drain()
        writer.close()

    def use(self, argv):
        opts = ctx.options
        replay = ctx.master.addons.get("serverplayback")
        replay.configured = False
        replay.flowmap = {}
        opts.update(**{name: opts.default(name) for name in RULES})
        parser = cmdline.mitmdump(opts)
        args = parser.parse_args(argv)
        opts.set(*args.setoptions)
        main.process_options(parser, opts, args)

    def running(self):
        asyncio.get_running_loop().create_task(self.listen())

    async def listen(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        print("control at %d" % server.sockets[0].getsockname()[1], flush=True)


addons = [Control()]
