/*
 * Tokens, keys and claims: any bytes are refused with a sentence, or what they say is kept; what is
 * taken is taken again; and a signature nobody made never verifies.
 */
#include <stdlib.h>

#include "crypto/base64url.h"
#include "issuers/fetch.h"
#include "issuers/rules.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 8037 appendix A.2. */
static const char jwks[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\","
                           "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
static const char published[] =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
    "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
static struct keyset keys;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct arena *arena = arena_new();
    str why;

    (void)argc;
    (void)argv;
    json_start();
    if (!keyset_read(arena, str_of(jwks), &keys, &why))
        abort();
    arena_drop(&arena);
    return 0;
}

static void as_base64url(struct arena *arena, str text)
{
    str bytes;

    if (base64url_read(arena, text, &bytes) && !str_eq(base64url_write(arena, bytes), text))
        abort();
}

static void as_claims(struct cx *cx, str text, enum issuer_kind kind)
{
    DROP(json) json_t *payload = NULL;
    struct issuer issuer = {.kind = kind,
                            .employer_claim = kind == ISSUER_OIDC ? S("o.id") : STR_NONE,
                            .role_claim = kind == ISSUER_OIDC ? S("o.rol") : STR_NONE};
    struct claims claims;

    if (json_read(cx, text, &payload) != E_OK || !json_is_object(payload))
        return;
    cx->failure.detail = STR_NONE;
    enum err e = claims_read(cx, &issuer, payload, &claims);
    if (e == E_OK && (claims.sub.n == 0 || claims.exp_ms <= 0))
        abort();
    if (e == E_OK)
        e = claims_judge(cx, &issuer, &claims, false);
    if (e != E_OK && cx->failure.detail.n == 0)
        abort();
    if (e == E_OK)
        claims_role(&issuer, &claims);
}

static void as_token(struct cx *cx, str text)
{
    struct jws jws;
    const char *fault = jws_parse(cx->arena, text, &jws);

    if (fault)
        return;
    if (jws.signing_input.n >= text.n || jws.kid.n > JWS_KID_MAX_BYTES)
        abort();
    if (jws_verify(&jws, keys.list[0]) && !str_eq(text, str_of(published)))
        abort();
    as_claims(cx, jws.payload, ISSUER_CLERK);
    as_claims(cx, jws.payload, ISSUER_OIDC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = {.arena = arena, .now_ms = 1780000000000};
    str text = {(const char *)data, size};
    struct keyset set = {.n = 0};
    const char *fault;
    str why;

    as_base64url(arena, text);
    as_token(&cx, text);
    as_claims(&cx, text, ISSUER_CLERK);
    as_claims(&cx, text, ISSUER_OIDC);
    if (keyset_read(arena, text, &set, &why))
        keyset_drop(&set);
    str rest = text;
    struct jws_key *key = jws_key_from_pem(&rest, &fault);
    jws_key_drop(&key);
    return 0;
}
