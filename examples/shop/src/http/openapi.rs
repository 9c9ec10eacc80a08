//! What the API says of itself. Routes stand in the document because they are added with it.

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, Modify, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::problem::{Document, Kind, MEDIA_TYPE};

/// The document without its routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "The shop", description = "Orders, stock and payments."),
    components(schemas(Document)),
    security(("token" = [])),
    modifiers(&Tokens),
    tags(
        (name = "commands", description = "What somebody wants done. They answer where it was written."),
        (name = "reads", description = "What is known."),
        (name = "outside", description = "The two services that ship a parcel, which can be told to fail."),
        (name = "operation", description = "For whoever runs the shop."),
    )
)]
pub(crate) struct Api;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// The page by which the API is tried. All of it comes with the program.
pub(crate) fn page(api: OpenApi) -> SwaggerUi {
    let config = Config::default()
        .try_it_out_enabled(true)
        .persist_authorization(true)
        // Otherwise the page sends the document to a service that checks it.
        .validator_url("none");
    SwaggerUi::new("/docs").config(config).url("/openapi.json", api)
}

/// What any request to the API may be answered beside what it is for.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut by_status = BTreeMap::<String, Vec<&str>>::new();
        for kind in Kind::ALL {
            by_status.entry(kind.status().as_u16().to_string()).or_default().push(kind.name());
        }
        let problem: RefOr<_> = Ref::from_schema_name(Document::name()).into();
        let response = |names: Vec<&str>| {
            let content = ContentBuilder::new().schema(Some(problem.clone())).build();
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let response = ResponseBuilder::new().description(names.join(", "));
            response.content(MEDIA_TYPE, content).build().into()
        };
        by_status.into_iter().map(|(status, names)| (status, response(names))).collect()
    }
}

/// A kind of problem.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemKind {
    /// What a problem of this kind has as its `type`.
    r#type: String,
    status: u16,
    title: &'static str,
}

/// The kinds of problems.
#[utoipa::path(
    get, path = "/problems", tag = "operation", security(()),
    responses((status = 200, body = Vec<ProblemKind>))
)]
pub(crate) async fn problems() -> Json<Vec<ProblemKind>> {
    let of = |kind: Kind| ProblemKind {
        r#type: kind.uri(),
        status: kind.status().as_u16(),
        title: kind.title(),
    };
    Json(Kind::ALL.into_iter().map(of).collect())
}
