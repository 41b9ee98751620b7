/* What an API and a scope may be. Inside apis/ only. */
#ifndef SALLYPORT_APIS_RULES_H
#define SALLYPORT_APIS_RULES_H

#include "apis/queries.h"
#include "base/form.h"

enum { SCOPE_DESCRIPTION_MAX_CHARS = 500 };

/* Problems go to the form. */
void apis_read_draft(struct form *f, struct api_row *out);
void apis_read_patch(struct form *f, struct api_row *api);

void scopes_read_draft(struct form *f, struct scope_row *out);
void scopes_read_patch(struct form *f, struct scope_row *out);

#endif
