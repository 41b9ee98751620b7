/* The instance key's route. */
#include "http/reply.h"
#include "instance/ops.h"

static enum err post_rotate(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct rotation rotation;

    (void)req;
    TRY(instance_rotate_key(cx, &rotation));
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("keyId"), instance_key_id_text(&rotation.current));
    json_put_text(&j, S("previousKeyId"), instance_key_id_text(&rotation.previous));
    json_close_object(&j);
    return E_OK;
}

const struct route instance_routes[] = {
    {HTTP_POST, "/api/admin/instance-key/rotate", ROLE(ADMIN), post_rotate},
    {0},
};
