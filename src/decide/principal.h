/* Who a credential turned out to be, and for which employer they act. */
#ifndef SALLYPORT_DECIDE_PRINCIPAL_H
#define SALLYPORT_DECIDE_PRINCIPAL_H

#include "base/str.h"
#include "decide/access.h"
#include "decide/scope.h"

enum principal_kind {
    PRINCIPAL_KEY,      /* an API key */
    PRINCIPAL_PERSON,   /* a signed-in person */
    PRINCIPAL_OPERATOR, /* the command line, over the control socket */
    PRINCIPAL_GATE,     /* a gateway or program, by its gate token */
};

/* Texts live as long as the request. */
struct principal {
    enum principal_kind kind;
    str id;                  /* of the key, person or gate token; "operator" */
    str email;               /* a person's; else STR_NONE */
    enum role role;          /* a key has ROLE_NONE */
    str employer_id;         /* acts for; an operator who named none has STR_NONE */
    str home_employer_id;    /* belongs to */
    struct scope_set scopes; /* a key's */
    bool is_instance;        /* a key of the management API: sees every employer */
};

#endif
