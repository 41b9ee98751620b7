#!/usr/bin/env python3
"""Make what is derived from the contract.

    contracts/generate.py openapi OUT     the OpenAPI document, expanded, compact JSON
    contracts/generate.py snapshot OUT    the same, indented: openapi.enterprise.v1.json
    contracts/generate.py errors-md OUT   docs/errors.md
    contracts/generate.py errors-ts OUT   sdk/typescript/src/errors.generated.ts
    contracts/generate.py troubleshooting-md OUT   docs/troubleshooting.md

Reads openapi.yaml, errors.def, symptoms.def, management_messages.def and scopes.def from its own
folder. OUT of "-" is standard output.
Exit code 1: the contract contradicts itself; each contradiction is a line on standard error.
"""

import ast
import json
import os
import re
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = ("get", "put", "post", "patch", "delete")
JSON_STRING = r'"(?:[^"\\]|\\.)*"'
PROBLEM = "application/problem+json"
MANAGEMENT = "/api/v1/"
# RFC 9110 section 15; Python's own names differ between its versions.
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Faults:
    """Collects what is wrong, so that one run names all of it."""

    def __init__(self):
        self.lines = []

    def add(self, text):
        self.lines.append(text)

    def stop_if_any(self):
        if self.lines:
            sys.exit("\n".join(f"contracts/generate.py: {line}" for line in self.lines))


class UniqueKeyLoader(yaml.SafeLoader):
    """A member given twice is a mistake, not an override."""


def construct_unique(loader, node, deep=False):
    seen = set()
    for key_node, _ in node.value:
        key = key_node.value
        if key != "<<" and key in seen:
            sys.exit(f"contracts/generate.py: openapi.yaml:{key_node.start_mark.line + 1}: {key} is there twice")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


UniqueKeyLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, lambda l, n: construct_unique(l, n, deep=True))
# Dates stay as they are written.
UniqueKeyLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda l, n: n.value)


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


def read_def(name, macro, columns):
    """The lines MACRO(a, b, "c", …) of a .def file, as tuples."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), read(name), flags=re.S)
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = re.fullmatch(rf"{macro}\((.*)\)", line.strip())
        parts = re.findall(rf"{JSON_STRING}|[^,\s]+", match.group(1)) if match else []
        if len(parts) != columns:
            sys.exit(f"contracts/generate.py: {name}:{number}: expected {macro}(…) with {columns} columns")
        rows.append(tuple(ast.literal_eval(p) if p.startswith('"') or p.isdigit() else p for p in parts))
    return rows


def read_symptoms():
    """symptoms.def: calls of macros, which are Python's calls as well."""
    tree = ast.parse(re.sub(r"/\*.*?\*/", "", read("symptoms.def"), flags=re.S))
    symptoms = {}
    for statement in tree.body:
        name, *parts = statement.value.args
        symptoms[ast.literal_eval(name)] = {
            part.func.id: [ast.literal_eval(text) for text in part.args] for part in parts}
    return symptoms


class Contract:
    def __init__(self):
        self.faults = Faults()
        self.errors = {}
        for code, status, message, cause, fix in read_def("errors.def", "ERROR", 5):
            if code in self.errors:
                self.faults.add(f"errors.def: {code} is there twice")
            if status not in PHRASES:
                self.faults.add(f"errors.def: {code} has status {status}, which has no name in generate.py")
            self.errors[code] = {"status": status, "message": message, "cause": cause, "fix": fix}
        self.symptoms = read_symptoms()
        self.scopes = {scope: grants for _, scope, grants in read_def("scopes.def", "SCOPE", 3)}
        self.told = {code: status for code, status, _ in read_def("management_messages.def", "MESSAGE", 3)}
        self.doc = yaml.load(read("openapi.yaml"), UniqueKeyLoader)
        self.groups = self.doc.pop("x-error-groups")
        self.server_errors = self.doc.pop("x-server-errors")
        self.console_errors = self.doc.pop("x-console-errors")
        self.gateway_errors = self.doc.pop("x-gateway-errors")
        self.members = self.doc.pop("x-error-members")
        self.responses = {}
        self.check()

    # ---- checking ----

    def operations(self):
        for path, item in self.doc["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item, item[method]

    def check_codes(self, codes, where):
        for code in codes:
            if code not in self.errors:
                self.faults.add(f"{where}: there is no error {code} in errors.def")

    def check(self):
        seen = {}
        used = set(self.server_errors + self.console_errors + self.gateway_errors)
        for name, codes in self.groups.items():
            self.check_codes(codes, f"x-error-groups.{name}")
        self.check_codes(self.server_errors, "x-server-errors")
        self.check_codes(self.console_errors, "x-console-errors")
        self.check_codes(self.gateway_errors, "x-gateway-errors")
        self.check_codes(self.members, "x-error-members")
        for path, method, _, op in self.operations():
            where = f"{method.upper()} {path}"
            name = op.get("operationId")
            if not name:
                self.faults.add(f"{where}: operationId is missing")
            elif name in seen:
                self.faults.add(f"{where}: operationId {name} is that of {seen[name]}")
            seen[name] = where
            for scope in op.get("x-scopes", []):
                if scope not in self.scopes:
                    self.faults.add(f"{where}: there is no scope {scope} in scopes.def")
            used.update(self.codes_of(path, op, where))
            self.check_refs(op, where)
        self.check_refs(self.doc["components"], "components")
        for code in self.errors:
            if code not in used:
                self.faults.add(f"errors.def: {code} is answered by no operation of openapi.yaml")
        self.check_symptoms()
        self.faults.stop_if_any()

    def check_symptoms(self):
        places = {}
        for name, symptom in self.symptoms.items():
            self.check_codes(symptom["CODES"], f"symptoms.def: {name}")
            for code in symptom["CODES"]:
                if code in places:
                    self.faults.add(f"symptoms.def: {code} is at {places[code]} and at {name}")
                places[code] = name
        for code in self.errors:
            if code not in places:
                self.faults.add(f"symptoms.def: {code} is at no symptom")

    def check_refs(self, node, where):
        generated = {"#/components/schemas/Scope", "#/components/schemas/ErrorCode"}
        if isinstance(node, list):
            for item in node:
                self.check_refs(item, where)
        elif isinstance(node, dict):
            ref = node.get("$ref")
            if isinstance(ref, str) and ref not in generated:
                target = self.doc
                for step in ref.removeprefix("#/").split("/"):
                    target = target.get(step) if isinstance(target, dict) else None
                if target is None:
                    self.faults.add(f"{where}: {ref} leads nowhere")
            for name, item in node.items():
                if item is None and " " in str(name):
                    self.faults.add(f"{where}: a comma ends a text in braces; quote the text that ends with {name!r}")
                self.check_refs(item, where)

    def codes_of(self, path, op, where):
        """What an operation may answer, groups resolved, in the order of errors.def."""
        has_versions = path.startswith("/api/") and not path.startswith(MANAGEMENT)
        names = ["every"] + (["api"] if has_versions else []) + op.get("x-errors", [])
        codes = set()
        for name in names:
            if name in self.groups:
                codes.update(self.groups[name])
            elif name in self.errors:
                codes.add(name)
            else:
                self.faults.add(f"{where}: x-errors has {name}, which is neither a code nor a group")
        return [code for code in self.errors if code in codes]

    # ---- expanding ----

    def example(self, code):
        error = self.errors[code]
        value = {
            "type": f"https://api.example.org/docs/errors/{code}",
            "title": error["message"],
            "status": error["status"],
            "detail": error["cause"],
            "instance": "/api/employer/cohort",
            "code": code,
            "requestId": "01j8z6m3q4v5w6x7y8z9a0",
            "hint": error["fix"],
        }
        sample = {
            "errors": [{"member": "limit", "reason": "must be a whole number from 1 to 1000"}],
            "received": 1,
            "rejected": 1,
            "requiredScopes": ["cohort:write"],
            "keyScopes": ["cohort:read"],
            "supportedVersions": ["2026-02-01", "v1"],
            "resourceId": "key_01j8z6m3q4v5w6x7y8z9a0",
        }
        value.update({name: sample[name] for name in self.members.get(code, [])})
        return {"summary": error["message"], "value": value}

    def fields(self, path, status, takes_key):
        """The header fields of an answer."""
        names = {"x-request-id": "RequestId"}
        if path.startswith("/api/employer/"):
            names["x-api-version"] = "AnsweredVersion"
        if takes_key:
            names["ratelimit-policy"] = "RateLimitPolicy"
            names["ratelimit"] = "RateLimit"
        if status == 401:
            names["www-authenticate"] = "WwwAuthenticate"
        if status == 405:
            names["allow"] = "Allow"
        if status in (429, 503):
            names["retry-after"] = "RetryAfter"
        return {field: {"$ref": f"#/components/headers/{name}"} for field, name in names.items()}

    def refusal(self, status, codes, fields, path):
        """A response for the codes of one status; alike ones are written once."""
        response = {
            "description": PHRASES[status] + ": " + ", ".join(codes) + ".",
            "headers": fields,
            "content": {
                PROBLEM: {
                    "schema": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Problem"},
                            {"properties": {"status": {"const": status}, "code": {"enum": codes}}},
                        ]
                    },
                    "examples": {c: {"$ref": f"#/components/examples/{c}"} for c in codes},
                }
            },
        }
        # A head that cannot be read is answered before it is known whose it would have been.
        for start, schema in (("/oauth2/", "OAuthError"), (MANAGEMENT, "ManagementErrors")):
            if path.startswith(start):
                response["content"]["application/json"] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
        key = json.dumps(response, sort_keys=True)
        if key not in self.responses:
            n = sum(name.startswith(f"Refused{status}") for name, _ in self.responses.values())
            self.responses[key] = (f"Refused{status}{chr(ord('A') + n)}", response)
        return {"$ref": f"#/components/responses/{self.responses[key][0]}"}

    def expand(self, path, method, op):
        codes = self.codes_of(path, op, f"{method.upper()} {path}")
        takes_key = any("ApiKeyAuth" in alternative for alternative in op.get("security", []))
        is_replayed = {"$ref": "#/components/parameters/IdempotencyKey"} in op.get("parameters", [])
        for status, response in op["responses"].items():
            response["headers"] = {**self.fields(path, int(status), takes_key), **response.get("headers", {})}
            if is_replayed:
                response["headers"]["idempotency-replayed"] = {"$ref": "#/components/headers/IdempotencyReplayed"}
        op.pop("x-errors", None)
        by_status = {}
        for code in codes:
            is_told = path.startswith(MANAGEMENT) and code in self.told
            by_status.setdefault(self.told[code] if is_told else self.errors[code]["status"], []).append(code)
        for status in sorted(by_status):
            op["responses"][str(status)] = self.refusal(
                status, by_status[status], self.fields(path, status, takes_key), path)

    def expanded(self):
        for path, method, _, op in self.operations():
            self.expand(path, method, op)
        components = self.doc["components"]
        components["schemas"]["Scope"] = {
            "type": "string",
            "description": "What a key may do. "
            + " ".join(f"`{scope}`: {grants.lower()}." for scope, grants in self.scopes.items()),
            "enum": list(self.scopes),
        }
        components["schemas"]["ErrorCode"] = {
            "type": "string",
            "description": "Why a request was refused. GET /docs/errors/{code} explains each; new ones may be added.",
            "enum": list(self.errors),
        }
        components["responses"] = dict(sorted(self.responses.values()))
        components["examples"] = {code: self.example(code) for code in self.errors}
        self.doc["x-server-errors"] = self.server_errors
        self.doc["x-error-members"] = self.members
        return self.doc

    def openapi(self):
        return json.dumps(self.expanded(), ensure_ascii=False, separators=(",", ":")) + "\n"

    def snapshot(self):
        return json.dumps(self.expanded(), ensure_ascii=False, indent=2) + "\n"

    # ---- the other readers ----

    def errors_md(self):
        lines = [
            "# Errors",
            "",
            "Every error that sallyport answers, by status. Made by `contracts/generate.py errors-md` from",
            "`contracts/errors.def`; `sallyport explain CODE` and `GET /docs/errors/CODE` say the same.",
            "",
            "An error body is `application/problem+json`; `code` is what a program should look at, `hint` is for",
            "the person who reads the log. Codes are never renamed or reused. By what you see:",
            "[troubleshooting.md](troubleshooting.md).",
        ]
        for status in sorted({e["status"] for e in self.errors.values()}):
            lines += ["", f"## {status} {PHRASES[status]}"]
            for code, error in self.errors.items():
                if error["status"] != status:
                    continue
                lines += [
                    "",
                    f"### {code}",
                    "",
                    f"- Status: {status}",
                    f"- Meaning: {error['message']}",
                    f"- Cause: {error['cause']}",
                    f"- Fix: {error['fix']}",
                ]
                if code in self.members:
                    names = ", ".join(f"`{name}`" for name in self.members[code])
                    lines.append(f"- Further members: {names}")
        return "\n".join(lines) + "\n"

    def troubleshooting_md(self):
        lines = [
            "# Troubleshooting",
            "",
            "By what you see. The `hint` in an answer is about that very request: read it first. The server",
            "has this page at `/docs/troubleshooting`, and `sallyport explain` takes a code, a message or the",
            "whole body of a refusal. Made by `contracts/generate.py troubleshooting-md` from",
            "`contracts/symptoms.def`; every code by its status is in [errors.md](errors.md).",
            "",
        ]
        for name in self.symptoms:
            lines.append(f"- [{name}](#{re.sub('[^a-z]', '-', name.lower())})")
        for name, symptom in self.symptoms.items():
            said = ", ".join(f'"{text}"' for text in symptom["SAID"])
            lines += ["", f"## {name}", "", symptom["SEEN"][0], "", f"Messages: {said}"]
            for title, part in (("Causes", "CAUSES"), ("To check", "CHECKS"), ("To do", "FIXES")):
                lines += ["", f"{title}:", ""] + [f"- {text}" for text in symptom[part]]
            lines += ["", "| Code | Status | |", "| --- | --- | --- |"]
            for code in symptom["CODES"]:
                error = self.errors[code]
                lines.append(f"| [`{code}`](errors.md#{code.lower()}) | {error['status']} | {error['message']} |")
        return "\n".join(lines) + "\n"

    def errors_ts(self):
        lines = [
            "// Made by contracts/generate.py from errors.def and scopes.def. Do not edit.",
            "",
            "/** Every error the API can answer, with its status and what the table says about it. */",
            "export const errors = {",
        ]
        for code, error in self.errors.items():
            lines.append(f"  {code}: {{")
            lines.append(f"    status: {error['status']},")
            for name in ("message", "cause", "fix"):
                lines.append(f"    {name}: {json.dumps(error[name], ensure_ascii=False)},")
            lines.append("  },")
        lines += [
            "} as const;",
            "",
            "export type ErrorCode = keyof typeof errors;",
            "",
            "/** What a key may be allowed to do. */",
            "export const scopes = {",
        ]
        lines += [f"  {json.dumps(scope)}: {json.dumps(grants)}," for scope, grants in self.scopes.items()]
        lines += ["} as const;", "", "export type Scope = keyof typeof scopes;"]
        return "\n".join(lines) + "\n"


def main(args):
    makers = {
        "openapi": Contract.openapi,
        "snapshot": Contract.snapshot,
        "errors-md": Contract.errors_md,
        "errors-ts": Contract.errors_ts,
        "troubleshooting-md": Contract.troubleshooting_md,
    }
    if len(args) != 2 or args[0] not in makers:
        sys.stderr.write(__doc__)
        return 2
    text = makers[args[0]](Contract())
    if args[1] == "-":
        sys.stdout.write(text)
        return 0
    # Whole or not at all: a build that was stopped must not find half a file.
    part = args[1] + ".part"
    with open(part, "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(part, args[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
