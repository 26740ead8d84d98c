//! The pages, one file each.

mod account;
mod appeals;
mod audit;
mod dead_letters;
mod doctor;
mod export;
mod knowledge;
mod language;
mod link;
mod message;
mod messages;
mod overview;
mod person;
mod settings;
mod signing_in;
mod users;

use actix_web::web::ServiceConfig;

pub(super) use signing_in::add_cookies;

/// The page that stands without a console.
pub(super) fn configure_language(routes: &mut ServiceConfig) {
    routes.configure(language::configure);
}

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .configure(overview::configure)
        .configure(messages::configure)
        .configure(export::configure)
        .configure(message::configure)
        .configure(knowledge::configure)
        .configure(appeals::configure)
        .configure(dead_letters::configure)
        .configure(doctor::configure)
        .configure(settings::configure)
        .configure(person::configure)
        .configure(users::configure)
        .configure(audit::configure)
        .configure(account::configure)
        .configure(signing_in::configure)
        .configure(link::configure)
        .configure(language::configure);
}
