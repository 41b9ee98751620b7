/* The route of issuers: ending a session that another service has begun. */
#include "http/reply.h"
#include "issuers/ops.h"

static void write_revocation(struct cx *cx, struct json_out *j, const void *what)
{
    const struct revocation *revocation = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("issuer"), revocation->issuer);
    json_put_text(j, S("sid"), revocation->sid);
    json_put_time(j, S("endsAt"), revocation->ends_at_ms);
    json_close_object(j);
}

static enum err post_revoked(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct revocation revocation;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    revocation.issuer = form_text(&form, "issuer", IDENTITY_ISSUER_MAX_CHARS, true);
    revocation.sid = form_text(&form, "sid", CLAIM_TEXT_MAX_CHARS, true);
    if (revocation.issuer.n && !issuers_find(revocation.issuer))
        form_problem(&form, "issuer", "is not the issuer of a section [issuer NAME]");
    TRY(form_close(&form));
    http_reply_plan(out, 201, write_revocation, &revocation);
    TRY(issuers_revoke(cx, &revocation));
    return http_reply_write(cx, out);
}

const struct route issuer_routes[] = {
    {HTTP_POST, "/api/admin/revoked-sessions", ROLE(ADMIN), post_revoked},
    {0},
};
