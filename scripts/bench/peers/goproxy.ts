/**
 * goproxy, a Go library; the program around it is its README's with a store for certificates, and built once.
 * It closes every intercepted connection after one response, so that many small requests over TLS take it long.
 * @module
 */
import { installed, output } from "../process.ts";
import { startForward } from "./forward.ts";
import type { Peer, Running, Setup, Workshop } from "./peer.ts";

/** Where Debian puts Go libraries. */
const GOPATH = "/usr/share/gocode";
const LIBRARY = `${GOPATH}/src/github.com/elazarl/goproxy`;
const PROGRAM = `package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/elazarl/goproxy"
)

// Without this a certificate is made and signed for every connection.
var configs sync.Map

func configFor(host string, ctx *goproxy.ProxyCtx) (*tls.Config, error) {
	if known, ok := configs.Load(host); ok {
		return known.(*tls.Config), nil
	}
	config, err := goproxy.TLSConfigFromCA(&goproxy.GoproxyCa)(host, ctx)
	if err == nil {
		configs.Store(host, config)
	}
	return config, err
}

func main() {
	proxy := goproxy.NewProxyHttpServer()
	proxy.Logger = log.New(io.Discard, "", 0)
	goproxy.MitmConnect.TLSConfig = configFor
	proxy.OnRequest().HandleConnect(goproxy.AlwaysMitm)
	log.Fatal(http.ListenAndServe(os.Args[1], proxy))
}
`;

export const goproxy: Peer = {
  name: "goproxy",

  async prepare({ cache }: Workshop) {
    const library = await Deno.stat(LIBRARY).then(() => true, () => false);
    if (!library || !await installed("go")) {
      return "apt-get install golang-go golang-github-elazarl-goproxy-dev";
    }
    const folder = `${cache}/goproxy`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/main.go`, PROGRAM);
    await output("go", ["build", "-o", `${folder}/goproxy`, "main.go"], {
      cwd: folder,
      env: { GOPATH, GO111MODULE: "off", GOFLAGS: "", GOCACHE: `${cache}/go-build` },
    });
    return null;
  },

  async version() {
    const query = ["-W", "-f=${Version}", "golang-github-elazarl-goproxy-dev"];
    const library = await output("dpkg-query", query).catch(() => "?");
    return `${library} with ${(await output("go", ["version"])).split(" ")[2]}`;
  },

  start({ cache }: Workshop, _setup: Setup): Promise<Running> {
    return startForward(`${cache}/goproxy/goproxy`, (port) => [`127.0.0.1:${port}`]);
  },
};
