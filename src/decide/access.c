/* Roles as text. */
#include "decide/access.h"

static const str roles[] = {
    [ROLE_NONE] = {"", 0},         [ROLE_PATIENT] = {"PATIENT", 7},
    [ROLE_MEMBER] = {"MEMBER", 6}, [ROLE_EMPLOYER_ADMIN] = {"EMPLOYER_ADMIN", 14},
    [ROLE_ADMIN] = {"ADMIN", 5},
};

str role_text(enum role role)
{
    return roles[role];
}

enum role role_find(str text)
{
    for (enum role r = ROLE_PATIENT; r <= ROLE_ADMIN; r++)
        if (str_eq(roles[r], text))
            return r;
    return ROLE_NONE;
}
