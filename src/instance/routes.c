/* The instance key's route. */
#include "http/reply.h"
#include "instance/ops.h"

static void write_rotation(struct cx *cx, struct json_out *j, const void *what)
{
    const struct rotation *rotation = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("keyId"), instance_key_id_text(&rotation->current));
    json_put_text(j, S("previousKeyId"), instance_key_id_text(&rotation->previous));
    json_close_object(j);
}

static enum err post_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct rotation rotation = {0};

    (void)req;
    http_reply_plan(out, 200, write_rotation, &rotation);
    TRY(instance_rotate_key(cx, &rotation));
    return http_reply_write(cx, out);
}

const struct route instance_routes[] = {
    {HTTP_POST, "/api/admin/instance-key/rotate", ROLE(ADMIN), post_rotate},
    {0},
};
