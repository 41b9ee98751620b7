/* The audit's routes: reading it, verifying it, archiving. */
#include "audit/ops.h"
#include "base/text.h"
#include "base/time.h"
#include "http/reply.h"

enum { ID_MAX_CHARS = 64, HEAD_MAX_CHARS = 100, FILE_MAX_CHARS = 100 };

static const char AUDIT_LIST = 'a';

/* ---- reading ---- */

static void write_actor(struct json_out *j, const struct audit_record *r)
{
    json_open_object(j, S("actor"));
    json_put_text(j, S("kind"), r->text[AUDIT_ACTOR_KIND]);
    json_put_text(j, S("id"), r->text[AUDIT_ACTOR_ID]);
    json_put_text(j, S("role"), r->text[AUDIT_ROLE]);
    json_put_text(j, S("employerId"), r->text[AUDIT_ACTOR_EMPLOYER_ID]);
    json_close_object(j);
}

static void write_target(struct json_out *j, const struct audit_record *r)
{
    if (str_is_none(r->text[AUDIT_TARGET_KIND])) {
        json_put_null(j, S("target"));
        return;
    }
    json_open_object(j, S("target"));
    json_put_text(j, S("kind"), r->text[AUDIT_TARGET_KIND]);
    json_put_text(j, S("id"), r->text[AUDIT_TARGET_ID]);
    json_close_object(j);
}

/* A detail that somebody has spoilt is shown as the text that it is: the answer stays JSON. */
static void write_detail(struct cx *cx, struct json_out *j, str detail)
{
    DROP(json) json_t *value = NULL;

    if (str_is_none(detail))
        json_put_null(j, S("detail"));
    else if (json_read(cx, detail, &value) == E_OK && json_is_object(value))
        json_put_raw(j, S("detail"), detail);
    else {
        json_open_object(j, S("detail"));
        json_put_text(j, S("unreadable"), detail);
        json_close_object(j);
    }
}

static void write_row(struct cx *cx, struct json_out *j, const struct audit_row *row)
{
    const struct audit_record *r = &row->record;

    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), r->text[AUDIT_ID]);
    json_put_time(j, S("at"), r->at_ms);
    json_put_text(j, S("action"), r->text[AUDIT_ACTION]);
    write_actor(j, r);
    json_put_text(j, S("employerId"), r->text[AUDIT_EMPLOYER_ID]);
    write_target(j, r);
    json_put_text(j, S("address"), r->text[AUDIT_ADDRESS]);
    json_put_text(j, S("userAgent"), r->text[AUDIT_USER_AGENT]);
    json_put_text(j, S("requestId"), r->text[AUDIT_REQUEST_ID]);
    write_detail(cx, j, r->text[AUDIT_DETAIL]);
    if (row->number)
        json_put_int(j, S("number"), row->number);
    else
        json_put_null(j, S("number"));
    json_close_object(j);
}

/* "api_key.created", or "api_key.*" for all that begin so. */
static void read_action(struct form *form, struct audit_filter *out)
{
    str text = form_text(form, "action", ID_MAX_CHARS, false);
    str plain = str_ends(text, S(".*")) ? str_sub(text, 0, text.n - 1) : text;

    if (str_is_none(text))
        return;
    if (!text_is_plain(plain, ID_MAX_CHARS))
        form_problem(form, "action", "must be an action like api_key.created, or api_key.*");
    else if (plain.n < text.n)
        out->action_prefix = arena_dup(form->cx->arena, plain);
    else
        out->action = arena_dup(form->cx->arena, plain);
}

static str read_id(struct form *form, const char *name)
{
    return arena_dup(form->cx->arena, form_text(form, name, ID_MAX_CHARS, false));
}

static enum err read_filter(struct cx *cx, const struct http_req *req, bool of_any_employer,
                            struct audit_filter *out)
{
    DROP(json) json_t *query = NULL;
    struct form form;
    struct page page;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    page_read(&form, AUDIT_LIST, &page);
    *out = (struct audit_filter){.before = arena_dup(cx->arena, page.after), .limit = page.limit};
    read_action(&form, out);
    out->actor_id = read_id(&form, "actorId");
    out->target_id = read_id(&form, "targetId");
    out->request_id = read_id(&form, "requestId");
    out->from_ms = form_time(&form, "from");
    out->to_ms = form_time(&form, "to");
    out->employer_id = of_any_employer ? read_id(&form, "employerId") : cx->who->employer_id;
    return form_close(&form);
}

static enum err write_page(struct cx *cx, const struct audit_filter *filter, struct http_reply *out)
{
    struct audit_rows rows;

    TRY(audit_page(cx, filter, &rows));
    struct json_out j = page_open(out, S("lines"));
    for (size_t i = 0; i < rows.n; i++)
        write_row(cx, &j, &rows.list[i]);
    page_close(cx, &j, AUDIT_LIST, rows.has_more,
               rows.n ? rows.list[rows.n - 1].record.text[AUDIT_ID] : STR_NONE);
    return E_OK;
}

static enum err get_own(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct audit_filter filter;

    TRY(read_filter(cx, req, false, &filter));
    return write_page(cx, &filter, out);
}

static enum err get_all(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct audit_filter filter;

    TRY(read_filter(cx, req, true, &filter));
    return write_page(cx, &filter, out);
}

/* ---- verifying ---- */

static enum err read_asked(struct cx *cx, const struct http_req *req, struct audit_asked *out)
{
    DROP(json) json_t *query = NULL;
    struct form form;

    *out = (struct audit_asked){.head = {0, STR_NONE}, .archive = STR_NONE};
    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    str head = form_text(&form, "head", HEAD_MAX_CHARS, false);
    str archive = form_text(&form, "archive", FILE_MAX_CHARS, false);
    if (!str_is_none(head) && !audit_head_parse(arena_dup(cx->arena, head), &out->head))
        form_problem(&form, "head", "must be NUMBER:LINK, as the log line audit.sealed has it");
    if (!str_is_none(archive) &&
        (!text_is_plain(archive, FILE_MAX_CHARS) || str_starts(archive, S("."))))
        form_problem(&form, "archive", "must be the name of an archive's file, without a folder");
    out->archive = arena_dup(cx->arena, archive);
    return form_close(&form);
}

static void write_finding(struct json_out *j, const struct audit_finding *f)
{
    json_open_object(j, STR_NONE);
    if (f->number)
        json_put_int(j, S("number"), f->number);
    else
        json_put_null(j, S("number"));
    json_put_text(j, S("lineId"), f->line_id);
    json_put_text(j, S("problem"), text_valid_prefix(f->problem));
    json_put_text(j, S("fix"), f->fix);
    json_close_object(j);
}

static void write_report(struct cx *cx, struct json_out *j, const struct audit_report *report)
{
    json_open_object(j, STR_NONE);
    json_put_bool(j, S("verified"), report->n_findings == 0);
    json_put_int(j, S("lines"), report->lines);
    json_put_int(j, S("sealed"), report->sealed);
    json_put_int(j, S("waiting"), report->waiting);
    json_put_int(j, S("archived"), report->archived);
    json_put_text(j, S("head"),
                  report->head.number ? audit_head_write(cx->arena, &report->head) : STR_NONE);
    json_put_int(j, S("findingCount"), (int64_t)report->n_findings);
    json_open_array(j, S("findings"));
    for (size_t i = 0; i < report->n; i++)
        write_finding(j, &report->list[i]);
    json_close_array(j);
    json_close_object(j);
}

static enum err get_verification(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct audit_report *report = ARENA_NEW(cx->arena, struct audit_report);
    struct audit_asked asked;

    TRY(read_asked(cx, req, &asked));
    cx->doing = "verifying the audit";
    TRY(audit_verify(cx, &asked, report));
    struct json_out j = http_reply_json(out, 200);
    write_report(cx, &j, report);
    return E_OK;
}

/* ---- archiving ---- */

/* All that is old enough, a file at a time. */
static enum err post_archive(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct json_out j = http_reply_json(out, 200);
    struct audit_archiving done;
    int64_t lines = 0;

    (void)req;
    json_open_object(&j, STR_NONE);
    json_open_array(&j, S("archives"));
    do {
        TRY(audit_archive(cx, &done));
        if (done.lines == 0)
            break;
        lines += done.lines;
        json_open_object(&j, STR_NONE);
        json_put_text(&j, S("file"), done.file);
        json_put_int(&j, S("first"), done.first);
        json_put_int(&j, S("through"), done.through);
        json_close_object(&j);
    } while (done.lines == AUDIT_ARCHIVE_MAX);
    json_close_array(&j);
    json_put_int(&j, S("lines"), lines);
    json_close_object(&j);
    return E_OK;
}

const struct route audit_routes[] = {
    {HTTP_GET, "/api/employer/audit", ROLE(EMPLOYER_ADMIN), get_own},
    {HTTP_GET, "/api/admin/audit", ROLE(ADMIN), get_all},
    {HTTP_GET, "/api/admin/audit/verification", ROLE(ADMIN), get_verification},
    {HTTP_POST, "/api/admin/audit/archive", ROLE(ADMIN), post_archive, .is_harmless_twice = true},
    {0},
};
