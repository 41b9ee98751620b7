/* Symptoms, read from contracts/symptoms.def. */
#include "base/symptoms.h"

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define SAID(...)          .said = LIST(__VA_ARGS__)
#define SEEN(text)         .seen = (text)
#define CAUSES(...)        .causes = LIST(__VA_ARGS__)
#define CHECKS(...)        .checks = LIST(__VA_ARGS__)
#define FIXES(...)         .fixes = LIST(__VA_ARGS__)
#define CODES(...)         .codes = LIST(__VA_ARGS__)
#define SYMPTOM(text, ...) {.name = (text), __VA_ARGS__},

const struct symptom symptoms[] = {
#include "symptoms.def"
};

const size_t n_symptoms = sizeof symptoms / sizeof *symptoms;

static bool has(const char *const *list, str text)
{
    for (; *list; list++)
        if (str_ieq(str_of(*list), text))
            return true;
    return false;
}

/* generate.py sees to it that there is one. */
const struct symptom *symptom_of(const struct err_info *info)
{
    const struct symptom *found = symptoms;

    while (!has(found->codes, info->code))
        found++;
    return found;
}

/* "403 Access denied." is "Access denied". */
static str bare(str message)
{
    size_t digits = 0;

    message = str_trim(message);
    while (digits < message.n && message.p[digits] >= '0' && message.p[digits] <= '9')
        digits++;
    if (digits == 3)
        message = str_trim(str_sub(message, digits, message.n));
    return str_ends(message, S(".")) ? str_sub(message, 0, message.n - 1) : message;
}

bool symptom_says(const struct symptom *symptom, str message)
{
    static const struct {
        enum err err;
        const char *text;
    } told[] = {
#define MESSAGE(code, status, text) {E_##code, text},
#include "management_messages.def"
#undef MESSAGE
    };
    str text = bare(message);

    if (has(symptom->said, text))
        return true;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (str_ieq(str_of(told[i].text), text) && has(symptom->codes, err_info(told[i].err)->code))
            return true;
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++) {
        const struct err_info *info = err_info((enum err)e);
        if (str_ieq(bare(info->message), text) && has(symptom->codes, info->code))
            return true;
    }
    return false;
}
