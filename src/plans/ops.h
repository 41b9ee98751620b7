/* What an ADMIN can ask of plans. Inside plans/ only. */
#ifndef SALLYPORT_PLANS_OPS_H
#define SALLYPORT_PLANS_OPS_H

#include "base/form.h"
#include "plans/queries.h"

/* Problems go to the form; what was not sent stays. */
void plans_read(struct form *f, bool is_new, struct plan *plan);

/* Completes it. E_INVALID_REQUEST: the name is another plan's; or there are too many */
enum err plans_add(struct cx *cx, struct plan *plan);
enum err plans_get(struct cx *cx, str id, struct plan *out); /* E_PLAN_NOT_FOUND */
enum err plans_get_all(struct cx *cx, struct plan_list *out);

/* From a PATCH body. E_PLAN_NOT_FOUND, E_INVALID_REQUEST */
enum err plans_change(struct cx *cx, str id, const json_t *patch, struct plan *out);

/* E_PLAN_NOT_FOUND, E_PLAN_IN_USE */
enum err plans_remove(struct cx *cx, str id);

#endif
