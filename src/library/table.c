/* Tables: settings read, memory made and freed. */
#include "library/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

/* Lower-case letters and digits; 1 to max. */
static bool is_plain_word(str text, size_t max)
{
    for (size_t i = 0; i < text.n; i++)
        if (!(text.p[i] >= 'a' && text.p[i] <= 'z') && !(text.p[i] >= '0' && text.p[i] <= '9'))
            return false;
    return text.n > 0 && text.n <= max;
}

/* RFC 9110 section 5.6.2: a token. */
static bool is_field_name(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && !str_has_byte(S("!#$%&'*+-.^_`|~"), c))
            return false;
    }
    return text.n > 0 && text.n <= FIELD_MAX_BYTES;
}

/* No byte that JSON escapes or that an expression splits at, and not one of its operators. */
static bool is_scope_name(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && !str_has_byte(S(".:_-/"), c))
            return false;
    }
    return text.n > 0 && text.n <= SCOPE_TEXT_MAX_BYTES && !str_ieq(text, S("and")) &&
           !str_ieq(text, S("or"));
}

/* A copy with a NUL; the text fits. */
static str kept(char *room, str text)
{
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    return (str){room, text.n};
}

static enum sallyport_result read_form(struct sallyport_table *table,
                                       const struct sallyport_settings *settings,
                                       struct sallyport_problem *problem)
{
    str prefix = settings->prefix ? str_of(settings->prefix) : S("mt");
    str environment = settings->environment ? str_of(settings->environment) : S("live");
    str field = settings->field ? str_of(settings->field) : S("x-api-key");

    if (!is_plain_word(prefix, PREFIX_MAX_BYTES))
        return invalid(problem, "prefix", WHOLE, "must be 1 to %d of a-z and 0-9",
                       PREFIX_MAX_BYTES);
    if (!str_eq(environment, S("live")) && !str_eq(environment, S("test")))
        return invalid(problem, "environment", WHOLE, "must be live or test");
    if (!is_field_name(field))
        return invalid(problem, "field", WHOLE,
                       "must be the name of a header field, at most %d bytes", FIELD_MAX_BYTES);
    table->form.prefix = kept(table->prefix_text, prefix);
    table->form.environment = kept(table->environment_text, environment);
    table->field = kept(table->field_text, field);
    return SALLYPORT_OK;
}

static enum sallyport_result read_scopes(struct sallyport_table *table,
                                         const struct sallyport_settings *settings,
                                         struct sallyport_problem *problem)
{
    unsigned bit;

    table->names = scope_names_enterprise;
    if (!settings->scopes)
        return settings->n_scopes == 0
                   ? SALLYPORT_OK
                   : invalid(problem, "scopes", WHOLE, "is NULL, and n_scopes is not 0");
    if (settings->n_scopes > SCOPES_MAX)
        return invalid(problem, "n_scopes", WHOLE, "must be at most %d", SCOPES_MAX);
    table->names = (struct scope_names){table->scopes, 0};
    for (size_t i = 0; i < settings->n_scopes; i++) {
        str name = str_of(settings->scopes[i]);
        if (!is_scope_name(name))
            return invalid(problem, "scopes", i,
                           "must be 1 to %d letters, digits and . : _ - /, and not AND or OR",
                           SCOPE_TEXT_MAX_BYTES);
        if (scope_names_find(&table->names, name, &bit))
            return invalid(problem, "scopes", i, "is there twice");
        table->scopes[i] = kept(table->scope_texts[i], name);
        table->names.n++;
    }
    return SALLYPORT_OK;
}

static enum sallyport_result read_settings(struct sallyport_table *table,
                                           const struct sallyport_settings *settings,
                                           struct sallyport_problem *problem)
{
    enum sallyport_result result = read_form(table, settings, problem);

    if (result == SALLYPORT_OK)
        result = read_scopes(table, settings, problem);
    if (result != SALLYPORT_OK)
        return result;
    if (settings->keys_max > SALLYPORT_KEYS_MAX)
        return invalid(problem, "keys_max", WHOLE, "must be at most %d", SALLYPORT_KEYS_MAX);
    table->keys_max = settings->keys_max ? settings->keys_max : SALLYPORT_KEYS_DEFAULT;
    atomic_init(&table->takes_any_text, settings->takes_any_text);
    return SALLYPORT_OK;
}

enum sallyport_result sallyport_table_new(const struct sallyport_settings *settings,
                                          struct sallyport_table **out,
                                          struct sallyport_problem *problem)
{
    const struct sallyport_settings defaults = {0};
    struct sallyport_table *table = mem_new(sizeof *table);
    enum sallyport_result result = read_settings(table, settings ? settings : &defaults, problem);

    if (result != SALLYPORT_OK) {
        free(table);
        return result;
    }
    table->keys = keys_new(table->keys_max);
    *out = table;
    return SALLYPORT_OK;
}

void sallyport_table_drop(struct sallyport_table **table)
{
    if (!*table)
        return;
    keys_drop(&(*table)->keys);
    free(*table);
    *table = NULL;
}

size_t sallyport_table_count(const struct sallyport_table *table)
{
    return keys_count(table->keys);
}
