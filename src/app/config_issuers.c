/* The settings of issuers: sections of the file, and variables with the issuer's name in theirs. */
#include "app/config_issuers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/file.h"
#include "base/banned.h"
#include "issuers/issuers.h"

enum { NAME_MAX_BYTES = 32, PEM_FILE_MAX_BYTES = 64 * 1024 };

static const struct config_spec specs[ISSUER_SETTINGS_END] = {
#define ISSUER_SETTING(id, kind, if_absent, unit, least, most, meaning)                            \
    [ISSUER_SETTING_##id] =                                                                        \
        CONFIG_SPEC(config_issuer, id, kind, if_absent, unit, least, most, meaning),
#include "issuer.def"
#undef ISSUER_SETTING
};

const struct config_spec *config_issuer_spec(enum issuer_setting setting)
{
    return &specs[setting];
}

enum issuer_setting config_issuer_setting_find(str name)
{
    int s = 0;

    while (s < ISSUER_SETTINGS_END && !str_eq(specs[s].info.name, name))
        s++;
    return (enum issuer_setting)s;
}

/* ---- what a text is for ---- */

static str check_url(struct arena *arena, str value)
{
    (void)arena;
    return issuer_url_is_fit(value)
               ? STR_NONE
               : S("must be an https:// URL without user, query and fragment (http:// for localhost "
                   "alone)");
}

static str check_algorithms(struct arena *arena, const struct config_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (jws_alg_find(list->texts[i]) == JWS_NO_ALG)
            return arena_printf(arena,
                                "must be RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, "
                                "ES512 or EdDSA; \"%.*s\" is none of them",
                                STR_ARG(list->texts[i]));
    return STR_NONE;
}

static str check_roles(struct arena *arena, const struct config_list *list)
{
    struct issuer_role role;

    for (size_t i = 0; i < list->n; i++)
        if (!issuer_role_parse(list->texts[i], &role))
            return arena_printf(arena,
                                "must be values of the claim, each with a colon and ADMIN, "
                                "EMPLOYER_ADMIN or MEMBER behind it; \"%.*s\" is none",
                                STR_ARG(list->texts[i]));
    return STR_NONE;
}

static const struct config_checks checks[ISSUER_SETTINGS_END] = {
    [ISSUER_SETTING_issuer] = {.text = check_url},
    [ISSUER_SETTING_jwks_url] = {.text = check_url},
    [ISSUER_SETTING_algorithms] = {.list = check_algorithms},
    [ISSUER_SETTING_role_map] = {.list = check_roles},
};

str config_issuer_set(struct arena *arena, struct config_issuer *issuer,
                      enum issuer_setting setting, str value)
{
    return config_set_field(arena, &specs[setting], &checks[setting], issuer, value);
}

/* ---- issuers by name ---- */

static bool is_name(str name)
{
    bool is_fit = name.n > 0 && name.n <= NAME_MAX_BYTES;

    for (size_t i = 0; i < name.n; i++)
        is_fit = is_fit && ((name.p[i] >= 'a' && name.p[i] <= 'z') ||
                            (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-');
    return is_fit;
}

static struct config_issuer *add(struct arena *arena, struct config *config, str name)
{
    /* Room for all at once: they are pointed to. */
    if (!config->issuers)
        config->issuers = arena_array(arena, ISSUERS_MAX, sizeof *config->issuers);
    struct config_issuer *issuer = &config->issuers[config->n_issuers++];

    issuer->name = arena_dup(arena, name);
    issuer->pem = STR_NONE;
    for (int s = 0; s < ISSUER_SETTINGS_END; s++) {
        config_issuer_set(arena, issuer, (enum issuer_setting)s, specs[s].info.if_absent);
        issuer->sources[s] = CONFIG_DEFAULT;
    }
    return issuer;
}

struct config_issuer *config_issuer_named(struct arena *arena, struct config *config, str name,
                                          str *reason)
{
    if (!is_name(name)) {
        *reason = S("must have a name of lower-case letters, digits and \"-\", 32 at most");
        return NULL;
    }
    for (size_t i = 0; i < config->n_issuers; i++)
        if (str_eq(config->issuers[i].name, name))
            return &config->issuers[i];
    if (config->n_issuers < ISSUERS_MAX)
        return add(arena, config, name);
    *reason = S("is one too many: 16 can be configured");
    return NULL;
}

/* MY_SSO for my-sso; what cannot be in a variable's name becomes what is no name either. */
static str name_of_variable(struct arena *arena, str text)
{
    char *name = arena_alloc(arena, text.n + 1);

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
        if (c == '-' || (c >= 'a' && c <= 'z'))
            name[i] = '?';
    }
    return (str){name, text.n};
}

/* Does the text end in "_JWKS_URL", with something before it? */
static bool ends_in(str text, str setting)
{
    if (text.n < setting.n + 2 || text.p[text.n - setting.n - 1] != '_')
        return false;
    str end = str_sub(text, text.n - setting.n, setting.n);
    for (size_t i = 0; i < end.n; i++)
        if (end.p[i] >= 'a' && end.p[i] <= 'z')
            return false;
    return str_ieq(end, setting);
}

bool config_issuer_split(struct arena *arena, str variable, str *name, enum issuer_setting *setting)
{
    str text = str_sub(variable, S("ISSUER_").n, variable.n);
    int best = ISSUER_SETTINGS_END;

    if (!str_starts(variable, S("ISSUER_")))
        return false;
    /* The longest: of an issuer "x", X_EMPLOYER_CLAIM is not the claim of "x-employer". */
    for (int s = 0; s < ISSUER_SETTINGS_END; s++)
        if (ends_in(text, specs[s].info.name) &&
            (best == ISSUER_SETTINGS_END || specs[s].info.name.n > specs[best].info.name.n))
            best = s;
    if (best == ISSUER_SETTINGS_END)
        return false;
    *setting = (enum issuer_setting)best;
    *name = name_of_variable(arena, str_sub(text, 0, text.n - specs[best].info.name.n - 1));
    return true;
}

/* ---- all of one issuer ---- */

static str read_pem(struct arena *arena, struct config_issuer *issuer)
{
    int fd = open(issuer->pem_file.p, O_RDONLY | O_CLOEXEC);
    struct buf text;

    buf_init(&text, PEM_FILE_MAX_BYTES);
    bool is_read = fd >= 0 && file_read(fd, &text);
    str reason = is_read ? STR_NONE
                         : arena_printf(arena, "cannot be read: %s",
                                        fd >= 0 ? "it is too large" : strerror(errno));
    if (is_read)
        issuer->pem = arena_dup(arena, buf_str(&text));
    buf_drop(&text);
    if (fd >= 0)
        close(fd);
    return reason;
}

static str check_pem(struct arena *arena, const struct config_issuer *issuer)
{
    str rest = issuer->pem;
    const char *why = NULL;
    size_t n = 0;

    for (struct jws_key *key; (key = jws_key_from_pem(&rest, &why));) {
        jws_key_drop(&key);
        n++;
    }
    if (why)
        return arena_printf(arena, "holds a key that cannot be used: the %zu. %s", n + 1, why);
    return n ? STR_NONE : S("holds no key; it must have a -----BEGIN PUBLIC KEY----- block");
}

static str complete_pem(struct arena *arena, struct config_issuer *issuer)
{
    str reason = issuer->jwks_url.n ? S("is given beside jwks_url; give one of them") : STR_NONE;

    if (str_is_none(reason))
        reason = read_pem(arena, issuer);
    return str_is_none(reason) ? check_pem(arena, issuer) : reason;
}

static bool is_iss_shared(const struct config *config, const struct config_issuer *issuer)
{
    for (size_t i = 0; i < config->n_issuers; i++)
        if (&config->issuers[i] != issuer && str_eq(config->issuers[i].issuer, issuer->issuer))
            return true;
    return false;
}

str config_issuer_complete(struct arena *arena, const struct config *config,
                           struct config_issuer *issuer, str *setting)
{
    bool has_roles = str_eq(issuer->kind, S("clerk")) || issuer->role_map.n > 0;

    *setting = S("issuer");
    if (issuer->issuer.n == 0)
        return S("is not set; it is the iss of the tokens, like https://clerk.example.org");
    if (is_iss_shared(config, issuer))
        return S("is another issuer's as well; each must have its own");
    *setting = S("authorized_parties");
    if (issuer->authorized_parties.n == 0 && issuer->audience.n == 0)
        return S("is not set, and neither is audience: without one of them, tokens that were made "
                 "for other applications would be taken");
    *setting = S("role_map");
    if (issuer->role_claim.n && !has_roles)
        return S("is not set, and role_claim is: say what its values mean, like "
                 "admin:EMPLOYER_ADMIN, staff:MEMBER");
    *setting = S("pem_file");
    return issuer->pem_file.n ? complete_pem(arena, issuer) : STR_NONE;
}

/* ---- reading them again ---- */

static void keep_one(struct arena *arena, struct config_issuer *issuer,
                     const struct config_issuer *running)
{
    for (int s = 0; s < ISSUER_SETTINGS_END; s++) {
        if (running->sources[s] <= CONFIG_FILE)
            continue;
        config_issuer_set(arena, issuer, (enum issuer_setting)s,
                          config_field_text(arena, &specs[s], running));
        issuer->sources[s] = running->sources[s];
    }
}

static bool has_more_than_a_file(const struct config_issuer *issuer)
{
    for (int s = 0; s < ISSUER_SETTINGS_END; s++)
        if (issuer->sources[s] > CONFIG_FILE)
            return true;
    return false;
}

void config_issuers_keep(struct arena *arena, struct config *config, const struct config *running)
{
    str reason = STR_NONE;

    for (size_t i = 0; i < running->n_issuers; i++) {
        const struct config_issuer *kept = &running->issuers[i];
        struct config_issuer *issuer = has_more_than_a_file(kept)
                                           ? config_issuer_named(arena, config, kept->name, &reason)
                                           : NULL;
        if (issuer)
            keep_one(arena, issuer, kept);
    }
}

static const struct config_issuer *named(const struct config *config, str name)
{
    for (size_t i = 0; i < config->n_issuers; i++)
        if (str_eq(config->issuers[i].name, name))
            return &config->issuers[i];
    return NULL;
}

static bool is_same(struct arena *arena, const struct config_issuer *a,
                    const struct config_issuer *b)
{
    for (int s = 0; b && s < ISSUER_SETTINGS_END; s++)
        if (!str_eq(config_field_text(arena, &specs[s], a), config_field_text(arena, &specs[s], b)))
            return false;
    return b && str_eq(a->pem, b->pem);
}

bool config_issuers_are_same(struct arena *arena, const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < a->n_issuers; i++)
        if (!is_same(arena, &a->issuers[i], named(b, a->issuers[i].name)))
            return false;
    return a->n_issuers == b->n_issuers;
}
