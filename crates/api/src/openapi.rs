//! The OpenAPI document, generated from the routes.

use utoipa::openapi::Components;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::{backend, error, routes, status};

/// The OpenAPI document of `/v1`, pretty-printed with a newline at the end. Committed as `crates/api/openapi.json`.
#[must_use]
pub fn document() -> String {
    let mut text = Description::openapi().to_pretty_json().expect("the document holds only strings and numbers");
    text.push('\n');
    text
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Throughline",
        version = "1",
        description = "Committed customers, alerts and status. Read only: commands go through Kafka topics. Field names are \
                       those of the published records; their schemas are in `schemas/`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        routes::metrics,
        routes::live,
        routes::ready,
        routes::customer,
        routes::customers,
        routes::alerts,
        routes::status,
        routes::openapi,
    ),
    components(schemas(
        backend::CustomerBody,
        backend::Reflects,
        error::ErrorBody,
        error::ErrorDetail,
        routes::AlertsReply,
        routes::CustomersAnswer,
        routes::CustomersReply,
        routes::ProbeReply,
        status::BoundStatus,
        status::Note,
        status::PartitionState,
        status::PartitionStatus,
        status::RestoreStatus,
        status::Status,
        status::WorkerStatus,
    )),
    modifiers(&Tokens),
    security((), ("bearer" = []))
)]
struct Description;

/// Adds how a caller says who it is.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Token by role (`metrics`, `read`, `operate`), where token files are configured"))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Route;

    #[test]
    fn every_described_path_is_a_route_and_the_reverse() {
        let described: Vec<_> = Description::openapi().paths.paths.keys().map(|path| Route::of(path)).collect();
        for route in Route::ALL {
            assert_eq!(described.contains(route), *route != Route::Unknown, "{route}");
        }
    }
}
