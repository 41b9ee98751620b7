/* API versions: which one a request asks for. */
#include "decide/version.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
const struct api_version api_versions[] = {
    {TEXT(API_VERSION_NEWEST), TEXT("v1")},
};
#undef TEXT
const size_t n_api_versions = sizeof api_versions / sizeof *api_versions;

/* STR_NONE if there is no such version. Without case, as media types are. */
static str canonical_of(str asked)
{
    for (size_t i = 0; i < n_api_versions; i++)
        if (str_ieq(asked, api_versions[i].canonical) || str_ieq(asked, api_versions[i].alias))
            return api_versions[i].canonical;
    return STR_NONE;
}

static struct version_claim claim_of(str asked)
{
    str canonical = canonical_of(asked);

    return (struct version_claim){str_is_none(canonical) ? VERSION_UNSUPPORTED : VERSION_OK, asked,
                                  canonical};
}

static const struct version_claim no_claim = {
    .fault = VERSION_MISSING, .canonical = {API_VERSION_NEWEST, sizeof API_VERSION_NEWEST - 1}};

/* Two claims about one request: the same version, or a conflict. */
static struct version_claim both(struct version_claim a, struct version_claim b)
{
    if (a.fault == VERSION_MISSING)
        return b;
    if (b.fault == VERSION_MISSING)
        return a;
    if (a.fault == VERSION_CONFLICT)
        return a;
    if (b.fault == VERSION_CONFLICT)
        return b;
    bool are_same =
        a.fault == VERSION_OK ? str_eq(a.canonical, b.canonical) : str_ieq(a.asked, b.asked);
    return are_same ? a : (struct version_claim){VERSION_CONFLICT, a.asked, STR_NONE};
}

/* Two fields may arrive as one list. */
static struct version_claim judge_field(str field)
{
    struct version_claim claim = no_claim;

    while (!str_is_none(field)) {
        str asked = str_trim(str_cut(&field, S(",")));
        if (asked.n)
            claim = both(claim, claim_of(asked));
    }
    return claim;
}

/* ---- Accept: RFC 9110 section 12.5.1 ---- */

struct media_range {
    str type;
    str version;   /* its parameter; STR_NONE if absent */
    int weight;    /* thousandths; 0: not acceptable */
    bool is_sound; /* false: breaks the grammar */
};

static bool is_token_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           str_has_byte(S("!#$%&'*+-.^_`|~"), c);
}

static str take_token(str *rest)
{
    size_t n = 0;

    while (n < rest->n && is_token_byte(rest->p[n]))
        n++;
    str token = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return token;
}

/* At an opening quote. The inside as it is, escapes and all; STR_NONE if its end is missing. */
static str take_quoted(str *rest)
{
    for (size_t i = 1; i < rest->n; i++) {
        if (rest->p[i] == '\\') {
            i++;
        } else if (rest->p[i] == '"') {
            str inside = str_sub(*rest, 1, i - 1);
            *rest = str_sub(*rest, i + 1, rest->n);
            return inside;
        }
    }
    *rest = str_sub(*rest, rest->n, 0);
    return STR_NONE;
}

static bool take_byte(str *rest, char c)
{
    if (rest->n == 0 || rest->p[0] != c)
        return false;
    *rest = str_sub(*rest, 1, rest->n);
    return true;
}

/* RFC 9110 section 12.4.2: 0 to 1 with at most three decimals; in thousandths, -1 if it is none. */
static int weight_of(str text)
{
    str rest = text;
    uint64_t whole, decimals = 0;
    str whole_text = str_cut(&rest, S("."));

    if (whole_text.n != 1 || !str_parse_u64(whole_text, 1, &whole) || rest.n > 3)
        return -1;
    if (rest.n && !str_parse_u64(rest, 999, &decimals))
        return -1;
    for (size_t i = rest.n; i < 3; i++)
        decimals *= 10;
    return whole * 1000 + decimals <= 1000 ? (int)(whole * 1000 + decimals) : -1;
}

static void take_parameter(str *rest, struct media_range *range)
{
    str name = take_token(rest);
    bool has_equals = take_byte(rest, '=');
    str value = rest->n && rest->p[0] == '"' ? take_quoted(rest) : take_token(rest);

    /* RFC 9110 section 5.6.6: a parameter may be empty, between two semicolons. */
    if (name.n == 0 && !has_equals && value.n == 0 && !str_is_none(value))
        return;
    if (name.n == 0 || !has_equals || str_is_none(value)) {
        range->is_sound = false;
    } else if (str_ieq(name, S("q"))) {
        range->weight = weight_of(value);
        range->is_sound &= range->weight >= 0;
    } else if (str_ieq(name, S("version"))) {
        range->is_sound &= str_is_none(range->version);
        range->version = value;
    }
}

/* One range up to a comma outside quotes; what breaks the grammar is skipped up to that comma. */
static struct media_range take_range(str *rest)
{
    struct media_range range = {.weight = 1000, .is_sound = true};
    const char *from;

    *rest = str_trim(*rest);
    from = rest->p;
    range.is_sound = take_token(rest).n && take_byte(rest, '/') && take_token(rest).n;
    range.type = (str){from, (size_t)(rest->p - from)};
    for (;;) {
        *rest = str_trim(*rest);
        if (rest->n == 0 || take_byte(rest, ','))
            return range;
        if (take_byte(rest, ';')) {
            *rest = str_trim(*rest);
            take_parameter(rest, &range);
            continue;
        }
        range.is_sound = false;
        if (rest->p[0] == '"')
            take_quoted(rest);
        else
            *rest = str_sub(*rest, 1, rest->n);
    }
}

/* application/vnd.<vendor>.v1+json or application/vnd.<vendor>+json; version=2026-02-01 */
static struct version_claim claim_of_range(const struct media_range *range, str vendor)
{
    str rest = range->type;

    if (!range->is_sound || range->weight == 0 || !str_istarts(rest, S("application/vnd.")))
        return no_claim;
    rest = str_sub(rest, sizeof "application/vnd." - 1, rest.n);
    if (!str_istarts(rest, vendor))
        return no_claim;
    rest = str_sub(rest, vendor.n, rest.n);
    if (rest.n < 5 || !str_ieq(str_sub(rest, rest.n - 5, 5), S("+json")))
        return no_claim;
    rest.n -= 5;
    if (rest.n && rest.p[0] != '.')
        return no_claim;
    struct version_claim by_name = rest.n > 1 ? claim_of(str_sub(rest, 1, rest.n)) : no_claim;
    return both(by_name, range->version.n ? claim_of(range->version) : no_claim);
}

/* The caller takes any of the ranges, so a version that exists is preferred to one that does not.
 */
static struct version_claim judge_accept(str accept, str vendor)
{
    struct version_claim best = no_claim;
    int best_weight = -1;

    while (accept.n) {
        struct media_range range = take_range(&accept);
        struct version_claim claim = claim_of_range(&range, vendor);
        if (claim.fault == VERSION_MISSING)
            continue;
        bool is_better = best.fault == VERSION_OK
                             ? claim.fault == VERSION_OK && range.weight > best_weight
                             : claim.fault == VERSION_OK || range.weight > best_weight;
        if (is_better) {
            best = claim;
            best_weight = range.weight;
        }
    }
    return best;
}

struct version_claim version_judge(str field, str accept, str vendor)
{
    return both(judge_field(field), judge_accept(accept, vendor));
}
