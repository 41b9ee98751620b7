/** A browser without a screen: it keeps the cookie, reads forms, and sends them as they are. */
import assert from "node:assert/strict";

import { field, type Answer, type Fields } from "./raw.js";
import type { Server } from "./server.js";

export type Values = Record<string, string | string[] | undefined>;

const unescape = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name] ?? "");

/** What a person reads: no tags, one space between words. */
export const textOf = (html: string): string =>
  unescape(html.replace(/^[\s\S]*<main/, "<main").replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ");

export function encode(values: Values): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const one of value === undefined ? [] : [value].flat()) pairs.append(name, one);
  return pairs.toString();
}

/** The hidden fields of the form with this action. */
export function hiddenOf(html: string, action: string): Record<string, string> {
  const form = html.split("<form ").find((part) => part.includes(`action="${action}"`));
  assert.ok(form, `there is no form for ${action}`);
  const hidden = form.split("</form>")[0]?.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g) ?? [];
  return Object.fromEntries([...hidden].map(([, name, value]) => [name, unescape(value ?? "")]));
}

export class Visitor {
  cookie: string | undefined;

  constructor(readonly server: Server) {}

  get #fields(): Fields {
    return this.cookie ? { cookie: this.cookie } : {};
  }

  #keep(answer: Answer): Answer {
    const set = field(answer, "set-cookie");
    if (set) this.cookie = /Max-Age=0/.test(set) ? undefined : set.split(";")[0];
    return answer;
  }

  async get(target: string): Promise<Answer> {
    return this.#keep(await this.server.call({ target, fields: this.#fields }));
  }

  async page(target: string): Promise<string> {
    const answer = await this.get(target);
    assert.equal(answer.status, 200, `${target}: ${answer.status} ${textOf(answer.body)}`);
    return answer.body;
  }

  /** As the browser would send it; `more` replaces or removes fields. */
  async post(target: string, values: Values, more: Fields = {}): Promise<Answer> {
    const { hostname, port } = new URL(this.server.url);
    const fields: Fields = {
      ...this.#fields,
      origin: `http://${hostname}:${port}`,
      "content-type": "application/x-www-form-urlencoded",
      ...more,
    };
    return this.#keep(await this.server.call({ method: "POST", target, fields, body: encode(values) }));
  }

  /** Open a page, and send its form. */
  async send(page: string, action: string, values: Values): Promise<Answer> {
    return this.post(action, { ...hiddenOf(await this.page(page), action), ...values });
  }

  async signIn(email: string, password: string, next?: string): Promise<Answer> {
    return this.post("/sign-in", { email, password, next });
  }
}

/** The raw key that the page shows, if it shows one. */
export const rawKeyOf = (html: string): string | undefined => /id="raw-key"[^>]*>([^<]+)<\/textarea>/.exec(html)?.[1];
