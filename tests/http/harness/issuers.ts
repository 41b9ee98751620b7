/** Issuers of session tokens, on this host. */
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTHeaderParameters, type KeyLike } from "jose";

export interface IssuerKey {
  kid: string;
  alg: string;
  privateKey: KeyLike;
  publicKey: KeyLike;
  jwk: JWK;
}

export async function makeKey(kid: string, alg = "RS256"): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export const now = (): number => Math.floor(Date.now() / 1000);

/** A JWKS document under our control, and tokens to go with it. */
export class KeyServer {
  keys: JWK[];
  /** How often the keys were read. */
  reads = 0;
  /** Instead of the keys. */
  answer: { status: number; body?: string; location?: string } | undefined;
  readonly #server: HttpServer;

  private constructor(server: HttpServer, keys: JWK[]) {
    this.#server = server;
    this.keys = keys;
  }

  static async start(keys: JWK[], port = 0): Promise<KeyServer> {
    const server = createServer((_, response) => {
      self.reads += 1;
      const { status, body, location } = self.answer ?? { status: 200 };
      response.writeHead(status, { "content-type": "application/json", ...(location ? { location } : {}) });
      response.end(body ?? JSON.stringify({ keys: self.keys }));
    });
    const self = new KeyServer(server, keys);
    await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    return self;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

export type Claims = Record<string, unknown>;

/** Signed by the key; undefined takes a claim or a header away. */
export function sign(key: IssuerKey, claims: Claims, header: Record<string, unknown> = {}): Promise<string> {
  const all = { alg: key.alg, kid: key.kid, typ: "JWT", ...header };
  return new SignJWT(JSON.parse(JSON.stringify(claims)))
    .setProtectedHeader(JSON.parse(JSON.stringify(all)) as JWTHeaderParameters)
    .sign(key.privateKey);
}
