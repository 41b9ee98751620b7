/** Debian's gateways, each with the files of docs/gateways as they are, and a service behind them. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request, type IncomingMessage, type OutgoingHttpHeaders, type Server as HttpServer, type ServerResponse } from "node:http";
import { connect, createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "./paths.js";
import { eventually } from "./util.js";

const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 5_000;
const recipes = join(root, "docs/gateways");

/* ---- the service ---- */

/** What has reached the service, told by itself. */
export interface Reached {
  method: string;
  target: string;
  /** Names as they were sent, in lower case; one that came twice has two values. */
  headers: Record<string, string[]>;
  bytes: number;
  sha256: string;
}

function fieldsOf(req: IncomingMessage): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  for (let i = 0; i < req.rawHeaders.length; i += 2) (fields[req.rawHeaders[i]!.toLowerCase()] ??= []).push(req.rawHeaders[i + 1]!);
  return fields;
}

/** Answers with what it was asked; ?answer=STATUS has it answer with that status. */
export class Service {
  readonly reached: Reached[] = [];
  readonly #server: HttpServer = createServer((req, res) => this.#answer(req, res));

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const digest = createHash("sha256");
    let bytes = 0;
    req.on("data", (piece: Buffer) => {
      digest.update(piece);
      bytes += piece.length;
    });
    req.on("error", () => {});
    req.on("end", () => {
      const seen: Reached = { method: req.method!, target: req.url!, headers: fieldsOf(req), bytes, sha256: digest.digest("hex") };
      this.reached.push(seen);
      const status = Number(/[?&]answer=(\d{3})/.exec(req.url!)?.[1] ?? 200);
      res.writeHead(status, { "content-type": "application/json", "x-service": "1" }).end(JSON.stringify(seen));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

/* ---- what is between the gateway and sallyport ---- */

/** Passes bytes on and counts them; closed, it refuses connections as a server does that is away. */
export class Wire {
  connections = 0;
  /** Towards sallyport. */
  bytes = 0;
  #port = 0;
  #to: { host: string; port: number } | undefined;
  readonly #open = new Set<import("node:net").Socket>();
  #server = this.#make();

  #make() {
    return createTcpServer((near) => {
      const far = connect(this.#to!);
      this.connections += 1;
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        this.#open.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#open.delete(socket);
          other.destroy();
        });
      }
      near.on("data", (piece) => (this.bytes += piece.length));
      near.pipe(far);
      far.pipe(near);
    });
  }

  async open(url: string): Promise<void> {
    const { hostname, port } = new URL(url);
    this.#to = { host: hostname, port: Number(port) };
    this.#server = this.#make();
    await new Promise<void>((done) => this.#server.listen({ port: this.#port, host: "127.0.0.1", backlog: 1024 }, done));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}

/* ---- a gateway ---- */

export interface Addresses {
  gateway: string;
  sallyport: string;
  service: string;
}

interface Launch {
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
}

type Prepare = (folder: string, at: Addresses, gateToken: string, file?: string) => Launch;

const inEnvironment = (at: Addresses, gateToken: string): NodeJS.ProcessEnv => ({
  GATEWAY: at.gateway,
  SALLYPORT: at.sallyport,
  SERVICE: at.service,
  SALLYPORT_GATE_TOKEN: gateToken,
});

/** The addresses of the shipped files, put in place as the page says. */
function readdress(file: string, at: Addresses): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll("127.0.0.1:8000", at.gateway).replaceAll("127.0.0.1:8080", at.sallyport).replaceAll("127.0.0.1:9000", at.service));
}

/** As Debian's own nginx.conf includes it, but in a folder, and with workers that may write there. */
const nginxMain = (folder: string): string => `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${folder}/nginx.pid;
error_log ${folder}/error.log info;
worker_processes 2;
events { worker_connections 4096; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${folder}/${what};`).join(" ")}
  include ${folder}/gateway.conf;
}
`;

const prepareNginx: Prepare = (folder, at, gateToken, file = "gateway.conf") => {
  cpSync(join(recipes, "nginx"), folder, { recursive: true });
  cpSync(join(recipes, "nginx", file), join(folder, "gateway.conf"));
  readdress(join(folder, "gateway.conf"), at);
  writeFileSync(join(folder, "snippets/sallyport-token.conf"), `proxy_set_header X-Gate-Token ${gateToken};\n`);
  writeFileSync(join(folder, "nginx.conf"), nginxMain(folder));
  return { command: "nginx", args: ["-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")] };
};

const prepareCaddy: Prepare = (folder, at, gateToken, file = "Caddyfile") => ({
  command: "caddy",
  args: ["run", "--adapter", "caddyfile", "--config", join(recipes, "caddy", file)],
  env: {
    ...inEnvironment({ ...at, gateway: `http://${at.gateway}` }, gateToken),
    CADDY_ADMIN: `unix/${join(folder, "admin.sock")}`,
    XDG_CONFIG_HOME: folder,
    XDG_DATA_HOME: folder,
  },
});

const prepareHaproxy: Prepare = (folder, at, gateToken) => ({
  command: "haproxy",
  args: ["-db", "-f", join(recipes, "haproxy/haproxy.cfg")],
  env: { ...inEnvironment(at, gateToken), SALLYPORT_LINK: `abns@${folder}` },
});

/** The modules that Debian's own apache2.conf has loaded, and those that the page names. */
const apacheMain = (folder: string): string => `
ServerRoot ${folder}
ServerName localhost
PidFile apache.pid
ErrorLog error.log
${process.getuid?.() === 0 ? "User www-data\nGroup www-data" : ""}
${["mpm_event", "authz_core", "setenvif", "headers", "lua", "proxy", "proxy_http"].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
ThreadsPerChild 64
ServerLimit 2
StartServers 1
MaxRequestWorkers 128
Mutex file:${folder}
DefaultRuntimeDir ${folder}
Include gateway.conf
`;

const prepareApache: Prepare = (folder, at, gateToken) => {
  cpSync(join(recipes, "apache"), folder, { recursive: true });
  readdress(join(folder, "gateway.conf"), at);
  const site = join(folder, "gateway.conf");
  writeFileSync(site, readFileSync(site, "utf8").replaceAll("/etc/apache2/", `${folder}/`));
  writeFileSync(join(folder, "apache.conf"), apacheMain(folder));
  chmodSync(folder, 0o755);
  return { command: "apache2", args: ["-DFOREGROUND", "-f", join(folder, "apache.conf")], env: inEnvironment(at, gateToken) };
};

export const kinds = { nginx: prepareNginx, caddy: prepareCaddy, haproxy: prepareHaproxy, apache: prepareApache };
export type Kind = keyof typeof kinds;

async function freeAddress(): Promise<string> {
  const server = createTcpServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `127.0.0.1:${port}`;
}

const listens = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [host, port] = address.split(":");
    const socket = connect(Number(port), host!);
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });

export interface Passed {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface Ask {
  method?: string;
  target?: string;
  key?: string | string[];
  headers?: OutgoingHttpHeaders;
  body?: Buffer;
}

export class Gateway {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #said = "";

  private constructor(readonly address: string, folder: string, launch: Launch) {
    this.#folder = folder;
    const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"], HOME: folder, ...launch.env };
    this.#child = spawn(launch.command, launch.args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on("data", (piece) => (this.#said += piece));
    this.#child.on("error", (error) => (this.#said += error));
    this.#ended = new Promise((done) => this.#child.on("close", done));
  }

  /** `file`: another than the one that the page begins with. */
  static async start(kind: Kind, sallyport: string, service: string, gateToken: string, file?: string): Promise<Gateway> {
    const folder = mkdtempSync(join(tmpdir(), `sallyport-${kind}-`));
    const at = { gateway: await freeAddress(), sallyport, service };
    const gateway = new Gateway(at.gateway, folder, kinds[kind](folder, at, gateToken, file));
    try {
      await eventually(() => listens(at.gateway), START_WITHIN_MS, `${kind} listens`);
    } catch (error) {
      const { log } = gateway;
      await gateway.stop();
      throw new Error(`${(error as Error).message}\n${log}`);
    }
    return gateway;
  }

  /** What it has printed, and written beside that. */
  get log(): string {
    const files = readdirSync(this.#folder).filter((name) => name.endsWith(".log"));
    return this.#said + files.map((name) => readFileSync(join(this.#folder, name), "utf8")).join("");
  }

  ask({ method = "GET", target = "/orders", key, headers = {}, body }: Ask = {}): Promise<Passed> {
    const [hostname, port] = this.address.split(":");
    const all = { ...headers, ...(key === undefined ? {} : { "x-api-key": key }) };
    return new Promise((resolve, reject) => {
      const req = request({ hostname, port, method, path: target, headers: all, agent: this.#agent }, (res) => {
        const pieces: Buffer[] = [];
        res.on("data", (piece) => pieces.push(piece));
        res.on("error", reject);
        res.on("end", () => resolve({ status: res.statusCode!, headers: res.headers, body: Buffer.concat(pieces).toString() }));
      });
      req.on("error", reject);
      req.end(body);
    });
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    // nginx ends its workers itself, if it is asked.
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_WITHIN_MS);
    if (this.#child.pid) await this.#ended;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
