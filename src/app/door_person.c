/* Callers who signed in, here or with an issuer, and the operator on the control socket. */
#include "app/visit.h"
#include "auth/auth.h"
#include "issuers/issuers.h"
#include "people/people.h"

static enum err check_role(struct visit *v)
{
    enum role least = v->route->access.role;

    if (v->who.role >= least)
        return E_OK;
    fail_hint(&v->cx, "Ask an %.*s to do it, or to give %.*s that role.", STR_ARG(role_text(least)),
              STR_ARG(v->who.email));
    return fail(&v->cx, E_INSUFFICIENT_ROLE, "The route needs the role %.*s; %.*s has %.*s.",
                STR_ARG(role_text(least)), STR_ARG(v->who.email), STR_ARG(role_text(v->who.role)));
}

static enum err check_employer(struct visit *v)
{
    if (v->who.employer_id.n || !visit_is_enterprise(v->req))
        return E_OK;
    fail_hint(&v->cx, "Name one with --employer ID; 'sallyport employers list' shows them.");
    return fail(&v->cx, E_EMPLOYER_NOT_FOUND, "There is not exactly one employer to act for.");
}

static enum err find_person(struct visit *v)
{
    bool is_cookie = v->credential == CREDENTIAL_TOKEN_COOKIE;

    if (v->credential == CREDENTIAL_SESSION)
        return auth_find_session(&v->cx, &v->session, &v->who);
    return issuers_find_session(&v->cx, &v->session, is_cookie, &v->who);
}

enum err door_admit_person(struct visit *v)
{
    str acts_for = http_req_field(v->req, S("x-employer-id"), NULL);

    if (v->credential == CREDENTIAL_OPERATOR)
        v->who =
            (struct principal){.kind = PRINCIPAL_OPERATOR, .id = S("operator"), .role = ROLE_ADMIN};
    else
        TRY(find_person(v));
    v->cx.who = &v->who;
    TRY(check_role(v));
    TRY(people_act_for(&v->cx, acts_for, &v->who));
    return check_employer(v);
}

enum http_next door_judge_person(struct visit *v)
{
    enum err e = visit_check_version(v);

    /* No page can make a browser send Authorization: the rule is about what is sent unasked. */
    if (e == E_OK && v->credential != CREDENTIAL_TOKEN)
        e = visit_check_origin(v);
    return e == E_OK ? HTTP_ASK_STORE : visit_refuse(v, e);
}
