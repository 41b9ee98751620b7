/* Errors as the management dialect has them: {"errors":[{"code","message", …}]}. */
#include <inttypes.h>

#include "base/err.h"
#include "http/reply.h"

struct told {
    int status;
    str message;
};

static struct told told_of(enum err e)
{
    const struct err_info *info = err_info(e);

    switch (e) {
#define MESSAGE(code, status, text)                                                                \
    case E_##code:                                                                                 \
        return (struct told){status, S(text)};
#include "management_messages.def"
#undef MESSAGE
    default:
        return (struct told){info->status, info->message};
    }
}

static void write_error(const struct cx *cx, const struct err_info *info, str message,
                        struct json_out *j)
{
    const struct failure *failure = &cx->failure;

    json_open_object(j, STR_NONE);
    json_open_array(j, S("errors"));
    json_open_object(j, STR_NONE);
    json_put_text(j, S("code"), info->code);
    json_put_text(j, S("message"), message);
    json_put_text(j, S("detail"), failure->detail.n ? failure->detail : info->cause);
    json_put_text(j, S("hint"), failure->hint.n ? failure->hint : info->fix);
    json_put_text(j, S("request_id"), cx->request_id);
    json_put_members(j, failure->members);
    json_close_object(j);
    json_close_array(j);
    json_close_object(j);
}

void http_reply_errors(const struct cx *cx, enum err e, struct http_reply *out)
{
    const struct err_info *info = err_info(e);
    struct told told = told_of(info->err);

    buf_clear(&out->body);
    out->static_body = STR_NONE;
    struct json_out j = http_reply_json(out, told.status);
    write_error(cx, info, told.message, &j);
    str wait = http_reply_wait(cx, told.status, out);
    if (told.status == 429)
        http_reply_field(out, S("ratelimit-reset"), wait);
    if (told.status == 401)
        http_reply_field(out, S("www-authenticate"),
                         e == E_MISSING_CREDENTIALS
                             ? S("Bearer realm=\"sallyport\"")
                             : S("Bearer realm=\"sallyport\", error=\"invalid_token\""));
}
