/*
 * Employers and the people who sign in, for whoever runs the instance. Patients are people too;
 * cohorts/ writes them, and they are not shown here.
 */
#ifndef SALLYPORT_PEOPLE_PEOPLE_H
#define SALLYPORT_PEOPLE_PEOPLE_H

#include "base/cx.h"
#include "base/secret.h"
#include "decide/principal.h"
#include "http/router.h"
#include "store/store.h"

extern const struct route people_routes[];

/*
 * First start: on a store without people, make one employer (active, approved) and one ADMIN in
 * it. Does nothing when there is an ADMIN already, or when no email is given.
 *
 * E_INVALID_REQUEST  the email or the password is not fit; the detail says why
 */
enum err people_first_start(struct cx *cx, str email, const struct secret *password);

/*
 * Let who act for another employer, as x-employer-id asks; STR_NONE asks for nothing. An operator
 * who names none acts for the only employer there is, if there is only one.
 *
 * E_EMPLOYER_NOT_FOUND, E_INSUFFICIENT_ROLE
 */
enum err people_act_for(struct cx *cx, str employer_id, struct principal *who);

#endif
