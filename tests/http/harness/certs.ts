/** Certificates, made with Debian's openssl in a folder of their own. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Issued {
  cert: string;
  key: string;
}

export class Certs {
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-certs-"));

  path(name: string): string {
    return join(this.folder, name);
  }

  read(path: string): string {
    return readFileSync(path, "utf8");
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: "pipe" });
  }

  authority(name: string): Issued {
    const issued = { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    this.#openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
      "-subj", `/CN=${name}`, "-keyout", issued.key, "-out", issued.cert);
    return issued;
  }

  /** For 127.0.0.1 and localhost, as server or client; days may be negative. */
  issue(name: string, by: Issued, options: { days?: number; rsa?: boolean; use?: string } = {}): Issued {
    const issued = { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    const kind = options.rsa ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    this.#openssl("req", "-newkey", ...kind, "-nodes", "-subj", `/CN=${name}`, "-keyout", issued.key, "-out", `${name}.csr`);
    writeFileSync(this.path(`${name}.ext`), `subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=${options.use ?? "serverAuth,clientAuth"}\n`);
    this.#openssl("x509", "-req", "-in", `${name}.csr`, "-CA", by.cert, "-CAkey", by.key, "-CAcreateserial",
      "-days", String(options.days ?? 30), "-extfile", `${name}.ext`, "-out", issued.cert);
    return issued;
  }

  /** An authority under another; what it issues is shown with it. */
  intermediate(name: string, by: Issued): Issued {
    const issued = { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    this.#openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`, "-keyout", issued.key, "-out", `${name}.csr`);
    writeFileSync(this.path(`${name}.ext`), "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n");
    this.#openssl("x509", "-req", "-in", `${name}.csr`, "-CA", by.cert, "-CAkey", by.key, "-CAcreateserial",
      "-days", "30", "-extfile", `${name}.ext`, "-out", issued.cert);
    return issued;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
