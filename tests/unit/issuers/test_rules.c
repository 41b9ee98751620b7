/* issuers/rules.h */
#include "request.h"

#include "base/time.h"
#include "issuers/rules.h"

static const str parties[] = {{"https://app.test", 16}};
static const str audiences[] = {{"us", 2}, {"also us", 7}};
static const struct issuer_role roles[] = {
    {{"boss", 4}, ROLE_EMPLOYER_ADMIN}, {{"staff", 5}, ROLE_MEMBER}, {{"chief", 5}, ROLE_ADMIN}};

static struct issuer an_oidc_issuer(void)
{
    return (struct issuer){.kind = ISSUER_OIDC, .iss = S("https://a.test"), .leeway_ms = 5000};
}

static struct issuer a_clerk_issuer(void)
{
    return (struct issuer){.kind = ISSUER_CLERK,
                           .iss = S("https://c.test"),
                           .parties = {parties, 1},
                           .leeway_ms = 5000};
}

/* ---- settings ---- */

static void urls_are_https_or_lead_to_this_host(void **state)
{
    static const char *const good[] = {
        "https://a.test",    "https://a.test/",       "https://a.test:8443/realms/x",
        "http://localhost",  "http://localhost:80/x", "http://127.0.0.1:1/x",
        "http://127.9.9.9/", "http://[::1]:5/x"};
    static const char *const bad[] = {"",
                                      "a.test",
                                      "https://",
                                      "https:///x",
                                      "http://a.test",
                                      "http://localhost.a.test",
                                      "http://127.0.0.1.a.test",
                                      "http://localhost@a.test",
                                      "http://a.test#localhost",
                                      "https://user@a.test",
                                      "https://a.test/#x",
                                      "https://a.test/?x",
                                      "https://a test",
                                      "https://a.test/\n",
                                      "ftp://localhost",
                                      "file:///etc/passwd",
                                      "http://10.0.0.1",
                                      "http://[::2]/",
                                      "HTTPS//a.test",
                                      "https://a.test\\@b.test"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!issuer_url_is_fit(str_of(good[i])))
            flunk("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (issuer_url_is_fit(str_of(bad[i])))
            flunk("taken: %s", bad[i]);
}

static void a_role_is_what_follows_the_last_colon(void **state)
{
    static const char *const bad[] = {
        "", "MEMBER", ":MEMBER", "x:", "x:BOSS", "x:member", "x:PATIENT", "x:MEMBER:"};
    struct issuer_role role;

    (void)state;
    assert_true(issuer_role_parse(S("org:admin:EMPLOYER_ADMIN"), &role));
    assert_true(str_eq(role.value, S("org:admin")));
    assert_int_equal(role.role, ROLE_EMPLOYER_ADMIN);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (issuer_role_parse(str_of(bad[i]), &role))
            flunk("taken: %s", bad[i]);
}

/* ---- the header ---- */

static void alg_and_typ_are_the_issuers_to_choose(void **state)
{
    static const struct {
        enum jws_alg alg;
        const char *typ;
        bool oidc, clerk;
    } cases[] = {
        {JWS_RS256, NULL, true, true},         {JWS_RS256, "JWT", true, true},
        {JWS_RS256, "jwt", true, true},        {JWS_RS256, "at+jwt", true, false},
        {JWS_RS256, "AT+JWT", true, false},    {JWS_RS256, "application/at+jwt", true, false},
        {JWS_RS256, "", false, false},         {JWS_RS256, "logout+jwt", false, false},
        {JWS_RS256, "dpop+jwt", false, false}, {JWS_RS256, "application/jwt", false, false},
        {JWS_ES256, "JWT", false, false},      {JWS_NO_ALG, "JWT", false, false},
    };
    struct issuer oidc = an_oidc_issuer(), clerk = a_clerk_issuer();
    struct request r;

    (void)state;
    request_start(&r, "{}");
    oidc.algs[JWS_RS256] = clerk.algs[JWS_RS256] = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jws jws = {.alg = cases[i].alg, .typ = str_of(cases[i].typ)};
        assert_int_equal(token_judge_header(&r.cx, &oidc, &jws),
                         cases[i].oidc ? E_OK : E_TOKEN_INVALID);
        assert_int_equal(token_judge_header(&r.cx, &clerk, &jws),
                         cases[i].clerk ? E_OK : E_TOKEN_INVALID);
    }
    assert_int_equal(request_close(&r), E_OK);
    request_end(&r);
}

/* ---- claims, one text at a time ---- */

static enum err read_claims(struct request *r, const struct issuer *issuer, const char *text,
                            struct claims *out)
{
    request_start(r, text);
    IGNORE_ERR(request_close(r));
    r->cx.failure = (struct failure){.detail = STR_NONE};
    return claims_read(&r->cx, issuer, r->json, out);
}

/* At A_DAY_IN_2026; the verdict of reading, and if that is good, of judging. */
static enum err judge(const struct issuer *issuer, const char *text, bool is_cookie)
{
    struct request r;
    struct claims claims;
    enum err e = read_claims(&r, issuer, text, &claims);

    if (e == E_OK)
        e = claims_judge(&r.cx, issuer, &claims, is_cookie);
    if (e != E_OK)
        assert_true(r.cx.failure.detail.n > 0);
    request_end(&r);
    return e;
}

#define T "1780000000" /* A_DAY_IN_2026 in seconds */

static void times_are_judged_to_the_millisecond(void **state)
{
    static const struct {
        const char *claims;
        enum err e;
    } cases[] = {
        {"\"exp\":1779999995.001", E_OK},
        {"\"exp\":1779999995", E_TOKEN_EXPIRED},
        {"\"exp\":1780000060,\"nbf\":1780000005", E_OK},
        {"\"exp\":1780000060,\"nbf\":1780000005.001", E_TOKEN_NOT_YET_VALID},
        {"\"exp\":1780000060,\"iat\":1780000005", E_OK},
        {"\"exp\":1780000060,\"iat\":1780000005.001", E_TOKEN_NOT_YET_VALID},
        {"\"exp\":1.78e9", E_OK},
        {"\"exp\":253402300799", E_OK},
        {"\"exp\":253402300800", E_TOKEN_INVALID},
        {"\"exp\":0", E_TOKEN_INVALID},
        {"\"exp\":0.0000006", E_TOKEN_INVALID},
        {"\"exp\":-1", E_TOKEN_INVALID},
        {"\"exp\":9223372036854775807", E_TOKEN_INVALID},
        {"\"exp\":1e308", E_TOKEN_INVALID},
        {"\"exp\":true", E_TOKEN_INVALID},
        {"\"exp\":\"" T "\"", E_TOKEN_INVALID},
        {"\"iat\":" T, E_TOKEN_INVALID},
    };
    struct issuer issuer = an_oidc_issuer();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"sub\":\"kim\",%s}", cases[i].claims);
        if (judge(&issuer, text, false) != cases[i].e)
            flunk("%s", cases[i].claims);
    }
}

static void the_hint_says_how_far_clocks_are_apart(void **state)
{
    struct issuer issuer = an_oidc_issuer();
    struct request r;
    struct claims claims;

    (void)state;
    assert_int_equal(read_claims(&r, &issuer,
                                 "{\"sub\":\"k\",\"exp\":1780000900,\"nbf\":1780000090.5}",
                                 &claims),
                     E_OK);
    assert_int_equal(claims_judge(&r.cx, &issuer, &claims, false), E_TOKEN_NOT_YET_VALID);
    assert_non_null(memmem(r.cx.failure.hint.p, r.cx.failure.hint.n, "skew of 91 s", 12));
    request_end(&r);
}

static void azp_and_aud_are_compared_to_the_letter(void **state)
{
    static const struct {
        const char *claims;
        enum err e, in_cookie;
    } cases[] = {
        {"\"azp\":\"https://app.test\",\"aud\":\"us\"", E_OK, E_OK},
        {"\"azp\":\"https://app.test\",\"aud\":[\"x\",\"also us\"]", E_OK, E_OK},
        {"\"azp\":\"https://app.test/\",\"aud\":\"us\"", E_TOKEN_PARTY, E_TOKEN_PARTY},
        {"\"azp\":\"\",\"aud\":\"us\"", E_TOKEN_INVALID, E_TOKEN_INVALID},
        {"\"aud\":\"us\"", E_TOKEN_PARTY, E_TOKEN_PARTY},
        {"\"azp\":\"https://app.test\"", E_TOKEN_AUDIENCE, E_TOKEN_AUDIENCE},
        {"\"azp\":\"https://app.test\",\"aud\":\"US\"", E_TOKEN_AUDIENCE, E_TOKEN_AUDIENCE},
        {"\"azp\":\"https://app.test\",\"aud\":[]", E_TOKEN_AUDIENCE, E_TOKEN_AUDIENCE},
        {"\"azp\":\"https://app.test\",\"aud\":[\"us\",null]", E_TOKEN_INVALID, E_TOKEN_INVALID},
    };
    struct issuer issuer = an_oidc_issuer();

    (void)state;
    issuer.parties = (struct issuer_texts){parties, 1};
    issuer.audiences = (struct issuer_texts){audiences, 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"sub\":\"kim\",\"exp\":1780000060,%s}", cases[i].claims);
        if (judge(&issuer, text, false) != cases[i].e ||
            judge(&issuer, text, true) != cases[i].in_cookie)
            flunk("%s", cases[i].claims);
    }
    issuer.parties.n = 0;
    const char *text = "{\"sub\":\"kim\",\"exp\":1780000060,\"aud\":\"us\"}";
    assert_int_equal(judge(&issuer, text, false), E_OK);
    assert_int_equal(judge(&issuer, text, true), E_TOKEN_PARTY);
}

/* ---- organizations ---- */

#define CLERK "{\"sub\":\"u\",\"sid\":\"s\",\"azp\":\"https://app.test\",\"exp\":1780000060,"

static void employers_and_roles_are_found_by_version_and_by_path(void **state)
{
    static const struct {
        bool is_clerk;
        const char *employer_claim, *role_claim, *claims, *employer;
        enum role role;
    } cases[] = {
        {true, "", "", "\"org_id\":\"o\",\"org_role\":\"org:admin\"", "o", ROLE_EMPLOYER_ADMIN},
        {true, "", "", "\"v\":1,\"org_id\":\"o\",\"org_role\":\"org:member\"", "o", ROLE_MEMBER},
        {true, "", "", "\"v\":1,\"org_id\":\"o\",\"org_role\":\"admin\"", "o", ROLE_NONE},
        {true, "", "", "\"v\":2,\"o\":{\"id\":\"o\",\"rol\":\"admin\"}", "o", ROLE_EMPLOYER_ADMIN},
        {true, "", "", "\"v\":2,\"o\":{\"id\":\"o\",\"rol\":\"member\"}", "o", ROLE_MEMBER},
        {true, "", "", "\"v\":2,\"org_id\":\"o\",\"org_role\":\"org:admin\"", NULL, ROLE_NONE},
        {true, "", "", "\"v\":2,\"o\":null", NULL, ROLE_NONE},
        {true, "x", "y", "\"v\":2,\"x\":\"o\",\"y\":\"org:admin\"", "o", ROLE_EMPLOYER_ADMIN},
        {false, "", "", "\"org_id\":\"o\",\"org_role\":\"boss\"", NULL, ROLE_NONE},
        {false, "a.b.c", "r", "\"a\":{\"b\":{\"c\":\"o\"}},\"r\":\"boss\"", "o",
         ROLE_EMPLOYER_ADMIN},
        {false, "a.b", "r.r", "\"a.b\":\"o\",\"a\":{\"b\":\"p\"},\"r\":{\"r\":[\"x\",\"staff\"]}",
         "o", ROLE_MEMBER},
        {false, "a", "r", "\"a\":[\"o\"],\"r\":[\"staff\",\"chief\",\"boss\"]", "o", ROLE_ADMIN},
        {false, "a", "r", "\"a\":null,\"r\":[]", NULL, ROLE_NONE},
        {false, "a.b", "r", "\"a\":\"o\",\"r\":null", NULL, ROLE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct issuer issuer = cases[i].is_clerk ? a_clerk_issuer() : an_oidc_issuer();
        struct request r;
        struct claims claims;
        char text[512];
        if (!cases[i].is_clerk) {
            issuer.roles = roles;
            issuer.n_roles = 3;
        }
        issuer.employer_claim = str_of(cases[i].employer_claim);
        issuer.role_claim = str_of(cases[i].role_claim);
        snprintf(text, sizeof text, CLERK "%s}", cases[i].claims);
        assert_int_equal(read_claims(&r, &issuer, text, &claims), E_OK);
        if (!str_eq(claims.employer, str_of(cases[i].employer)) ||
            claims_role(&issuer, &claims) != cases[i].role)
            flunk("%s", text);
        request_end(&r);
    }
}

static void what_is_no_organization_is_refused(void **state)
{
    static const char *const bad[] = {
        "\"v\":0",
        "\"v\":3",
        "\"v\":2.0",
        "\"v\":\"2\"",
        "\"v\":null",
        "\"org_id\":7",
        "\"org_id\":\"\"",
        "\"org_id\":[\"a\",\"b\"]",
        "\"org_id\":[7]",
        "\"org_role\":7",
        "\"org_role\":{}",
        "\"org_role\":[7]",
        "\"v\":2,\"o\":{\"id\":7}",
    };
    struct issuer issuer = a_clerk_issuer();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, CLERK "%s}", bad[i]);
        if (judge(&issuer, text, false) != E_TOKEN_INVALID)
            flunk("taken: %s", bad[i]);
    }
    assert_int_equal(judge(&issuer, CLERK "\"sts\":\"pending\"}", false), E_SESSION_INVALID);
    assert_int_equal(judge(&issuer, CLERK "\"sts\":\"active\"}", false), E_OK);
}

/* ---- who it is ---- */

static void a_user_has_the_role_and_the_employer_of_the_token_or_their_own(void **state)
{
    static const struct {
        bool is_clerk;
        enum role here;
        const char *claims, *employer; /* that the token names; NULL: none */
        enum err e;
        enum role role;
        const char *acts_for;
    } cases[] = {
        {false, ROLE_MEMBER, "\"x\":1", NULL, E_OK, ROLE_MEMBER, "home"},
        {false, ROLE_EMPLOYER_ADMIN, "\"x\":1", "home", E_OK, ROLE_EMPLOYER_ADMIN, "home"},
        {false, ROLE_EMPLOYER_ADMIN, "\"x\":1", "away", E_INSUFFICIENT_ROLE, ROLE_NONE, NULL},
        {false, ROLE_ADMIN, "\"x\":1", "away", E_OK, ROLE_ADMIN, "away"},
        {false, ROLE_PATIENT, "\"x\":1", NULL, E_SESSION_INVALID, ROLE_NONE, NULL},
        {true, ROLE_EMPLOYER_ADMIN, "\"org_role\":\"org:member\"", "home", E_OK, ROLE_MEMBER,
         "home"},
        {true, ROLE_MEMBER, "\"org_role\":\"org:admin\"", "home", E_OK, ROLE_EMPLOYER_ADMIN,
         "home"},
        {true, ROLE_EMPLOYER_ADMIN, "\"x\":1", NULL, E_INSUFFICIENT_ROLE, ROLE_NONE, NULL},
        {true, ROLE_EMPLOYER_ADMIN, "\"org_role\":\"org:x\"", NULL, E_INSUFFICIENT_ROLE, ROLE_NONE,
         NULL},
        {true, ROLE_ADMIN, "\"org_role\":\"org:member\"", "home", E_OK, ROLE_ADMIN, "home"},
        {true, ROLE_ADMIN, "\"x\":1", NULL, E_OK, ROLE_ADMIN, "home"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct issuer issuer = cases[i].is_clerk ? a_clerk_issuer() : an_oidc_issuer();
        struct known_user user = {.id = S("user"),
                                  .employer_id = S("home"),
                                  .role = cases[i].here,
                                  .is_active = true,
                                  .employer_is_active = true};
        struct principal who = {.role = ROLE_NONE};
        struct request r;
        struct claims claims;
        char text[256];
        snprintf(text, sizeof text, CLERK "%s}", cases[i].claims);
        assert_int_equal(read_claims(&r, &issuer, text, &claims), E_OK);
        assert_int_equal(
            token_judge_user(&r.cx, &issuer, &claims, &user, str_of(cases[i].employer), &who),
            cases[i].e);
        assert_int_equal(who.role, cases[i].role);
        assert_true(str_eq(who.employer_id, str_of(cases[i].acts_for)));
        user.employer_is_active = false;
        enum err e = token_judge_user(&r.cx, &issuer, &claims, &user, STR_NONE, &who);
        assert_int_equal(e, user.role < ROLE_MEMBER ? E_SESSION_INVALID : E_EMPLOYER_INACTIVE);
        user.is_active = false;
        e = token_judge_user(&r.cx, &issuer, &claims, &user, STR_NONE, &who);
        assert_int_equal(e, E_SESSION_INVALID);
        request_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_https_or_lead_to_this_host),
        cmocka_unit_test(a_role_is_what_follows_the_last_colon),
        cmocka_unit_test(alg_and_typ_are_the_issuers_to_choose),
        cmocka_unit_test(times_are_judged_to_the_millisecond),
        cmocka_unit_test(the_hint_says_how_far_clocks_are_apart),
        cmocka_unit_test(azp_and_aud_are_compared_to_the_letter),
        cmocka_unit_test(employers_and_roles_are_found_by_version_and_by_path),
        cmocka_unit_test(what_is_no_organization_is_refused),
        cmocka_unit_test(a_user_has_the_role_and_the_employer_of_the_token_or_their_own),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
