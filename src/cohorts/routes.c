/* The cohort routes of the contract. */
#include "base/text.h"
#include "cohorts/cohorts.h"
#include "cohorts/ops.h"
#include "http/reply.h"

enum { UPLOAD_BODY_MAX_BYTES = 16 * 1024 * 1024 };

static const char PATIENTS_LIST = 'p';

void cohorts_start(int64_t foreign_email_limit)
{
    cohorts_set_foreign_email_limit(foreign_email_limit);
}

static enum err read_partial(struct cx *cx, const struct http_req *req, bool *is_partial)
{
    DROP(json) json_t *query = NULL;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    str partial = json_text(form_value(&form, "partial"));
    if (!str_is_none(partial) && !str_eq(partial, S("true")) && !str_eq(partial, S("false")))
        form_problem(&form, "partial", "must be true or false");
    *is_partial = str_eq(partial, S("true"));
    return form_close(&form);
}

struct answer {
    const struct upload *upload;
    bool is_partial;
};

static void write_upload(struct cx *cx, struct json_out *j, const void *what)
{
    const struct answer *answer = what;
    const struct upload *upload = answer->upload;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("uploadId"), upload->id);
    json_put_int(j, S("received"), (int64_t)upload->received);
    json_put_int(j, S("created"), (int64_t)upload->created);
    json_put_int(j, S("updated"), (int64_t)upload->updated);
    json_put_int(j, S("unchanged"), (int64_t)upload->unchanged);
    json_put_int(j, S("rejected"), (int64_t)upload->rejected);
    if (answer->is_partial)
        json_put_raw(j, S("errors"), upload->errors);
    json_close_object(j);
}

static enum err post_upload(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct upload upload;
    bool is_partial;

    TRY(read_partial(cx, req, &is_partial));
    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_upload, &(struct answer){&upload, is_partial});
    TRY(cohorts_upload(cx, body, is_partial, &upload));
    return http_reply_write(cx, out);
}

static void write_patient(struct json_out *j, const struct patient *patient)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), patient->id);
    for (int m = 0; m < PATIENT_MEMBERS_END; m++)
        json_put_text(j, str_of(patient_member_names[m]), patient->member[m]);
    json_put_time(j, S("createdAt"), patient->created_at_ms);
    json_put_time(j, S("updatedAt"), patient->updated_at_ms);
    json_close_object(j);
}

static enum err read_filter(struct cx *cx, const struct http_req *req, struct cohort_filter *out)
{
    DROP(json) json_t *query = NULL;
    struct form form;
    struct page page;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    page_read(&form, PATIENTS_LIST, &page);
    str email = form_text(&form, "email", 254, false);
    str department = form_text(&form, "department", 100, false);
    TRY(form_close(&form));
    *out = (struct cohort_filter){
        .email_folded = email.n ? text_fold(cx->arena, email) : STR_NONE,
        .department = arena_dup(cx->arena, department),
        .after = arena_dup(cx->arena, page.after),
        .limit = page.limit,
    };
    return E_OK;
}

static enum err get_cohort(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct cohort_filter filter;
    struct patient_list patients;

    TRY(read_filter(cx, req, &filter));
    TRY(cohorts_page(cx, &filter, &patients));

    struct json_out j = page_open(out, S("patients"));
    for (size_t i = 0; i < patients.n; i++)
        write_patient(&j, &patients.list[i]);
    page_close(cx, &j, PATIENTS_LIST, patients.has_more,
               patients.n ? patients.list[patients.n - 1].id : STR_NONE);
    return E_OK;
}

const struct route cohort_routes[] = {
    {HTTP_POST, "/api/employer/upload-cohort", SCOPE_WRITE("cohort:write"), post_upload,
     .body_max_bytes = UPLOAD_BODY_MAX_BYTES},
    {HTTP_GET, "/api/employer/cohort", SCOPE_READ("cohort:read"), get_cohort},
    {0},
};
