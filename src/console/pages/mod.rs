//! The pages, one file each.

mod account;
mod audit;
mod language;
mod link;
mod overview;
mod signing_in;
mod users;

use actix_web::web::ServiceConfig;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .configure(overview::configure)
        .configure(users::configure)
        .configure(audit::configure)
        .configure(account::configure)
        .configure(signing_in::configure)
        .configure(link::configure)
        .configure(language::configure);
}
