/* Who may call a route: a scope, a role, both, or anybody. */
#ifndef SALLYPORT_DECIDE_ACCESS_H
#define SALLYPORT_DECIDE_ACCESS_H

#include "base/str.h"

/* In rising order: each may do what those before it may. */
enum role { ROLE_NONE, ROLE_PATIENT, ROLE_MEMBER, ROLE_EMPLOYER_ADMIN, ROLE_ADMIN };

/* "EMPLOYER_ADMIN"; ROLE_NONE has the empty text. */
str role_text(enum role role);
enum role role_find(str text); /* exact; ROLE_NONE if there is no such role */

enum access_kind {
    ACCESS_OPEN,       /* anybody */
    ACCESS_SCOPE,      /* an API key with the scope, or a session with the role */
    ACCESS_SESSION,    /* a session with the role; no API key */
    ACCESS_MANAGEMENT, /* a key of the management API with the scope, as Bearer, or a session with
                          the role; where that is ADMIN, the key must see the whole instance */
    ACCESS_GATE,       /* a gate token in Authorization */
    ACCESS_GATEWAY,    /* a gateway, by X-Gate-Token, its address, its certificate or its socket:
                          Authorization is the guarded request's */
};

struct access {
    enum access_kind kind;
    const char *scope; /* ACCESS_SCOPE and ACCESS_MANAGEMENT only */
    enum role role;    /* the least that a session needs */
};

/* Reading takes a MEMBER, changing an EMPLOYER_ADMIN. */
#define OPEN                                                                                       \
    {                                                                                              \
        .kind = ACCESS_OPEN                                                                        \
    }
#define GATE                                                                                       \
    {                                                                                              \
        .kind = ACCESS_GATE                                                                        \
    }
#define GATEWAY                                                                                    \
    {                                                                                              \
        .kind = ACCESS_GATEWAY                                                                     \
    }
#define SCOPE_READ(text)                                                                           \
    {                                                                                              \
        .kind = ACCESS_SCOPE, .scope = (text), .role = ROLE_MEMBER                                 \
    }
#define SCOPE_WRITE(text)                                                                          \
    {                                                                                              \
        .kind = ACCESS_SCOPE, .scope = (text), .role = ROLE_EMPLOYER_ADMIN                         \
    }
#define MANAGE(text, name)                                                                         \
    {                                                                                              \
        .kind = ACCESS_MANAGEMENT, .scope = (text), .role = ROLE_##name                            \
    }
#define ROLE(name)                                                                                 \
    {                                                                                              \
        .kind = ACCESS_SESSION, .role = ROLE_##name                                                \
    }

#endif
