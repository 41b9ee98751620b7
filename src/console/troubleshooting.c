/* /docs/troubleshooting: the symptoms, for whoever has one; no sign-in. */
#include "base/symptoms.h"
#include "console/pages.h"
#include "console/view.h"

/* The text of a heading as an address in the page: "Invalid API key" is "invalid-api-key". */
static str anchor(struct cx *cx, const struct symptom *symptom)
{
    str id = arena_dup(cx->arena, str_of(symptom->name));

    for (char *p = (char *)id.p; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p >= 'a' && *p <= 'z' ? *p : '-';
    return id;
}

static void write_contents(struct view *p)
{
    HTML(&p->h, "<nav class=\"contents\" aria-label=\"Symptoms\"><ul>");
    for (size_t i = 0; i < n_symptoms; i++)
        HTML(&p->h, "<li><a href=\"#{}\">{}</a></li>", anchor(p->cx, &symptoms[i]),
             str_of(symptoms[i].name));
    HTML(&p->h, "</ul></nav>");
}

static void write_list(struct view *p, str title, const char *const *list)
{
    HTML(&p->h, "<h3>{}</h3><ul>", title);
    for (; *list; list++)
        HTML(&p->h, "<li>{}</li>", str_of(*list));
    HTML(&p->h, "</ul>");
}

static void write_messages(struct view *p, const struct symptom *symptom)
{
    HTML(&p->h, "<p>Messages: ");
    for (const char *const *said = symptom->said; *said; said++)
        HTML(&p->h, "{}<q>{}</q>", said == symptom->said ? S("") : S(", "), str_of(*said));
    HTML(&p->h, "</p><p>Codes: ");
    for (const char *const *code = symptom->codes; *code; code++)
        HTML(&p->h, "{}<a href=\"/docs/errors/{}\"><code>{}</code></a>",
             code == symptom->codes ? S("") : S(", "), str_of(*code), str_of(*code));
    HTML(&p->h, "</p>");
}

static void write_symptom(struct view *p, const struct symptom *symptom)
{
    HTML(&p->h, "<section class=\"symptom\"><h2 id=\"{}\">{}</h2><p>{}</p>", anchor(p->cx, symptom),
         str_of(symptom->name), str_of(symptom->seen));
    write_messages(p, symptom);
    write_list(p, S("Causes"), symptom->causes);
    write_list(p, S("To check"), symptom->checks);
    write_list(p, S("To do"), symptom->fixes);
    HTML(&p->h, "</section>");
}

enum err console_get_troubleshooting(struct cx *cx, const struct http_req *req,
                                     struct http_reply *out)
{
    struct view p = view_begin(cx, req, out, 200, S("Troubleshooting"), STR_NONE);

    HTML(&p.h, "<p class=\"lead\">Find what you see, by the message or by the code of the answer. "
               "The hint in the answer itself is about your very request: read it first.</p>");
    write_contents(&p);
    for (size_t i = 0; i < n_symptoms; i++)
        write_symptom(&p, &symptoms[i]);
    return view_end(&p);
}
