/**
 * What is different about requests on a connection to a proxy: they name their origin (RFC 9112 §3.2.2), and who asks
 * (RFC 9110 §11.7.2).
 * @module
 */

/** How a connection's requests are written where a proxy is at its other end. */
export interface ProxyLeg {
  /** Value of Proxy-Authorization; null for none. */
  readonly authorization: string | null;
  /** True: a CONNECT has a Host field, as RFC 9112 §3.2 wants of all requests. */
  readonly sendsConnectHost: boolean;
}
