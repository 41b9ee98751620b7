/* What employers and users may be: reading their members, saying what is wrong with them. */
#include "people/rules.h"

#include "base/text.h"
#include "crypto/password.h"

enum role people_read_role(struct form *f, bool is_required)
{
    str text = form_text(f, "role", 32, is_required);
    enum role role = role_find(text);

    if (text.n && role < ROLE_MEMBER)
        form_problem(f, "role", "must be ADMIN, EMPLOYER_ADMIN or MEMBER");
    return role;
}

str people_read_email(struct form *f)
{
    str email = form_text(f, "email", 254, true);

    if (email.n && !text_is_email(email))
        form_problem(f, "email", "is not an email address");
    return email;
}

void people_read_password(struct form *f, struct secret *out)
{
    str text = json_text(form_value(f, "password"));

    if (!form_has(f, "password"))
        return;
    if (!password_is_fit(text))
        form_problem(f, "password", "must have at least %d characters and no control characters",
                     PASSWORD_MIN_CHARS);
    else
        secret_set(out, text);
}

void people_read_status(struct form *f, bool *is_active)
{
    if (!form_value(f, "status"))
        return;
    str status = form_text(f, "status", 16, true);
    if (str_eq(status, S("active")) || str_eq(status, S("inactive")))
        *is_active = str_eq(status, S("active"));
    else if (status.n)
        form_problem(f, "status", "must be active or inactive");
}

static void read_identity(struct form *list, const json_t *item, size_t i, struct identity *out)
{
    struct form form;

    form_open_row(&form, list, item, (int64_t)i);
    out->issuer =
        arena_dup(list->cx->arena, form_text(&form, "issuer", IDENTITY_ISSUER_MAX_CHARS, true));
    out->id = arena_dup(list->cx->arena, form_text(&form, "id", IDENTITY_ID_MAX_CHARS, true));
    form_close_part(&form);
}

void people_read_identities(struct form *f, const char *member, struct identities *out)
{
    const json_t *list = form_value(f, member);
    const json_t *item;
    size_t i;

    if (!list)
        return;
    if (!json_is_array(list) || json_array_size(list) > IDENTITIES_MAX) {
        form_problem(f, member, "must be a list of at most %d objects with issuer and id",
                     IDENTITIES_MAX);
        return;
    }
    out->list = arena_array(f->cx->arena, json_array_size(list), sizeof *out->list);
    out->n = json_array_size(list);
    json_array_foreach(list, i, item) read_identity(f, item, i, &out->list[i]);
}
