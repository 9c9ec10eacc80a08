//! What went wrong, as RFC 9457 has it: one document for each error, and one table of their kinds.

use annals::prelude::*;
use annals::{Conflict, Expected};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Denied, Unsure};
use crate::domain::BrokenRule;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// How many seconds to wait before what failed for now is tried again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The kinds of problems. Their names are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    AlreadyExists,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    BrokenRule,
    KeyReused,
    Fault,
    NotYet,
    Unavailable,
    UnknownOutcome,
}

impl Kind {
    pub(crate) const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::AlreadyExists,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::BrokenRule,
        Self::KeyReused,
        Self::Fault,
        Self::NotYet,
        Self::Unavailable,
        Self::UnknownOutcome,
    ];

    /// Its name, its status, and its title.
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => ("bad-request", S::BAD_REQUEST, "The request cannot be read"),
            Self::Unauthenticated => {
                ("unauthenticated", S::UNAUTHORIZED, "The request says of nobody whom it is from")
            }
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "Others may do this"),
            Self::NotFound => ("not-found", S::NOT_FOUND, "There is no such thing"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", S::METHOD_NOT_ALLOWED, "The path has no such method")
            }
            Self::TooSlow => ("too-slow", S::REQUEST_TIMEOUT, "The body took too long"),
            Self::AlreadyExists => ("already-exists", S::CONFLICT, "It exists already"),
            Self::Conflict => ("conflict", S::CONFLICT, "Somebody else has changed it"),
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", S::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON")
            }
            Self::BrokenRule => {
                ("broken-rule", S::UNPROCESSABLE_ENTITY, "A rule of the shop does not allow it")
            }
            Self::KeyReused => (
                "key-reused",
                S::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for something else",
            ),
            Self::Fault => ("fault", S::INTERNAL_SERVER_ERROR, "The shop is at fault"),
            Self::NotYet => {
                ("not-yet", S::SERVICE_UNAVAILABLE, "What was written cannot be read yet")
            }
            Self::Unavailable => {
                ("unavailable", S::SERVICE_UNAVAILABLE, "The shop cannot do this now")
            }
            Self::UnknownOutcome => (
                "unknown-outcome",
                S::SERVICE_UNAVAILABLE,
                "It was done or not: nobody knows for now",
            ),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }

    /// What problems of this kind have as their `type`.
    pub(crate) fn uri(self) -> String {
        format!("/problems#{}", self.name())
    }

    pub(crate) const fn status(self) -> StatusCode {
        self.row().1
    }

    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    rule: Option<&'static str>,
    field: Option<String>,
    expected_version: Option<u64>,
    actual_version: Option<u64>,
}

/// A problem as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// What kind of problem it is; `/problems` lists them.
    #[schema(example = "/problems#broken-rule")]
    r#type: String,
    title: &'static str,
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// Of a broken rule: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    /// Of a body that cannot be read: where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Of a conflict, or of what exists already: the version that was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_version: Option<u64>,
    /// Of a conflict, or of what exists already: the version that is there. Of another customer's, neither is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_version: Option<u64>,
}

impl From<Problem> for Document {
    fn from(problem: Problem) -> Self {
        let Problem { kind, detail, rule, field, expected_version, actual_version } = problem;
        let (r#type, title) = (kind.uri(), kind.title());
        let status = kind.status().as_u16();
        Self { r#type, title, status, detail, rule, field, expected_version, actual_version }
    }
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            rule: None,
            field: None,
            expected_version: None,
            actual_version: None,
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    /// Of an order that is not there, or that whoever asks may not know of.
    pub(crate) fn no_such_order() -> Self {
        Self::new(Kind::NotFound, Denied::Unseen.to_string())
    }

    #[must_use]
    pub(crate) fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Of an order that exists already: whoever places one expects that there is none, unless they say otherwise.
    #[must_use]
    pub(crate) fn of_existing(mut self, expected: Option<u64>, version: Option<u64>) -> Self {
        if self.kind == Kind::AlreadyExists {
            (self.expected_version, self.actual_version) = (expected.or(Some(0)), version);
        }
        self
    }

    fn broken_rule(rule: &'static str, detail: String) -> Self {
        Self { rule: Some(rule), ..Self::new(Kind::BrokenRule, detail) }
    }

    fn conflict(conflict: &Conflict) -> Self {
        let expected = match conflict.expected {
            Expected::Exact(version) => Some(version),
            Expected::NoStream => Some(0),
            Expected::Any => None,
        };
        Self {
            expected_version: expected,
            actual_version: Some(conflict.actual),
            ..Self::new(Kind::Conflict, conflict.to_string())
        }
    }

    /// Of a fault that whoever asks can do nothing about: the log tells what it is, the answer does not.
    pub(super) fn fault(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request met a fault");
        Self::new(Kind::Fault, "the log of the shop says what happened")
    }

    pub(super) fn store(error: &StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(error = error as &dyn std::error::Error, "the store does not answer");
            Self::new(Kind::Unavailable, "the store does not answer; nothing was done")
        } else {
            Self::fault(error)
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        match refusal.downcast_ref::<Denied>() {
            Some(Denied::Forbidden) => Self::new(Kind::Forbidden, refusal.to_string()),
            Some(Denied::Unseen) => Self::no_such_order(),
            Some(Denied::Taken) => Self::new(Kind::AlreadyExists, refusal.to_string()),
            Some(Denied::UnknownCustomer(_)) => {
                Self::broken_rule("unknown-customer", refusal.to_string())
            }
            None => match refusal.downcast_ref::<Unsure>() {
                Some(Unsure::Rows(error)) => error.into(),
                Some(Unsure::Load(error)) => Self::load(error),
                None => Self::fault(refusal),
            },
        }
    }

    fn load(error: &LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::store(error),
            error => Self::fault(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::refused(&refusal)
    }
}

impl<E: BrokenRule + 'static> From<DispatchError<E>> for Problem {
    fn from(error: DispatchError<E>) -> Self {
        match &error {
            DispatchError::Rejected(broken) => Self::broken_rule(broken.rule(), broken.to_string()),
            DispatchError::Refused(refusal) => Self::refused(refusal),
            DispatchError::NotFound { .. } => Self::new(Kind::NotFound, error.to_string()),
            DispatchError::AlreadyExists { .. } => {
                Self::new(Kind::AlreadyExists, error.to_string())
            }
            DispatchError::Conflict(conflict) => Self::conflict(conflict),
            DispatchError::KeyReused { .. } => Self::new(Kind::KeyReused, error.to_string()),
            DispatchError::InvalidCommand { .. } => Self::bad_request(error.to_string()),
            DispatchError::UnknownOutcome { source, .. } => {
                tracing::warn!(error = source as &dyn std::error::Error, "an outcome is unknown");
                let advice = "send it again with the same `Idempotency-Key`: it is done once; without a key, look first";
                Self::new(Kind::UnknownOutcome, advice)
            }
            DispatchError::Store(error) => Self::store(error),
            DispatchError::Load(error) => Self::load(error),
            error => Self::fault(error),
        }
    }
}

impl From<&ReadModelError> for Problem {
    fn from(error: &ReadModelError) -> Self {
        match error {
            ReadModelError::Late { .. } => {
                let advice = "what `after` names is stored, and not to be read yet; ask again";
                Self::new(Kind::NotYet, advice)
            }
            ReadModelError::Store(error) => Self::store(error),
            ReadModelError::Argument { .. } => Self::bad_request(error.to_string()),
            // What they say is of rows, perhaps of other people's.
            ReadModelError::Paused { .. }
            | ReadModelError::Parked { .. }
            | ReadModelError::Stopped { .. }
            | ReadModelError::Missing { .. } => {
                tracing::error!(error = error as &dyn std::error::Error, "rows cannot be read");
                Self::new(Kind::Unavailable, "this cannot be read until somebody has mended it")
            }
            error => Self::fault(error),
        }
    }
}

impl From<QueryError<ReadModelError>> for Problem {
    fn from(error: QueryError<ReadModelError>) -> Self {
        match &error {
            QueryError::Failed(error) => error.into(),
            QueryError::Refused(refusal) => Self::refused(refusal),
            QueryError::Invalid { .. } => Self::bad_request(error.to_string()),
            error => Self::fault(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        let (kind, document) = (self.kind, Document::from(self));
        // Cannot fail: texts and numbers only.
        let body = serde_json::to_string(&document).unwrap_or_default();
        let mut response =
            (kind.status(), [(header::CONTENT_TYPE, media_type)], body).into_response();
        match kind {
            Kind::NotYet | Kind::Unavailable | Kind::UnknownOutcome => {
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            Kind::Unauthenticated => {
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            _ => {}
        }
        response
    }
}
