//! What requests bring: ids in paths, headers of commands, bodies in JSON. What cannot be read is a problem that says where.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use utoipa::IntoParams;
use uuid::Uuid;

use super::App;
use super::problem::{Kind, Problem};
use crate::names::{LONGEST, is_plain};

/// How many digits the number of an attempt has at most.
const ATTEMPT_DIGITS: usize = u32::MAX.ilog10() as usize + 1;

/// An id in a path.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        parse_id(&in_path(parts, state).await?).map(Self)
    }
}

/// The id of a shipment in a path: an order's, with the number of an attempt behind it.
pub(crate) struct ShipmentId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for ShipmentId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let longest = LONGEST + ".".len() + ATTEMPT_DIGITS;
        parse(&in_path(parts, state).await?, longest).map(Self)
    }
}

async fn in_path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    match Path::<String>::from_request_parts(parts, state).await {
        Ok(Path(id)) => Ok(id),
        Err(error) => Err(Problem::bad_request(error.body_text())),
    }
}

/// Takes an id of what an id may hold: nothing that a URL, a file name or a log would have to quote.
pub(crate) fn parse_id<T: FromStr>(id: &str) -> Result<T, Problem> {
    parse(id, LONGEST)
}

fn parse<T: FromStr>(id: &str, longest: usize) -> Result<T, Problem> {
    if is_plain(id, longest)
        && let Ok(id) = id.parse()
    {
        return Ok(id);
    }
    let id = id.escape_debug();
    Err(Problem::bad_request(format!(
        "`{id}` is not 1 to {longest} letters, digits, `-`, `_` or `.`"
    )))
}

/// The question behind a path.
pub(crate) fn asked<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::try_from_uri(uri) {
        Ok(Query(asked)) => Ok(asked),
        Err(error) => Err(Problem::bad_request(error.body_text())),
    }
}

/// Refuses a question that asks by what the path does not take: misspelt, it would be answered as if it were not there.
pub(crate) fn takes_only(uri: &Uri, taken: &[String]) -> Result<(), Problem> {
    let parts: Vec<(String, String)> = asked(uri)?;
    match parts.into_iter().find(|(name, _)| !taken.contains(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let (name, taken) = (name.escape_debug(), taken.join("`, `"));
            let detail = format!("there is no `{name}` to ask by; there are `{taken}`");
            Err(Problem::bad_request(detail).in_field(name.to_string()))
        }
    }
}

/// The header of the id for all that follows from a request.
const CORRELATION: &str = "Correlation-Id";

/// The correlation of a request that says none, or one that cannot be read.
#[derive(Debug, Clone)]
struct Correlation(String);

fn new_correlation() -> String {
    Uuid::now_v7().to_string()
}

/// Has each answer name the correlation, also one that says what went wrong.
pub(crate) async fn correlated(mut request: Request, next: Next) -> Response {
    let said = text(request.headers(), CORRELATION).unwrap_or_default();
    let correlation = said.unwrap_or_else(|| {
        let made = new_correlation();
        request.extensions_mut().insert(Correlation(made.clone()));
        made
    });
    let mut response = next.run(request).await;
    if let Ok(correlation) = HeaderValue::from_str(&correlation) {
        response.headers_mut().entry(CORRELATION).or_insert(correlation);
    }
    response
}

/// The headers by which what follows from a request is found.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Traced {
    /// One id for all that follows from the request.
    #[param(rename = "Correlation-Id")]
    pub(crate) correlation: Option<String>,
    /// The trace that the request belongs to, by W3C Trace Context; kept with the events.
    #[param(rename = "traceparent")]
    pub(crate) trace: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Traced {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // By the standard, a trace that cannot be read is none.
        let trace = text(&parts.headers, "traceparent").unwrap_or_default();
        let correlation = text(&parts.headers, CORRELATION)?;
        Ok(Self { correlation, trace: trace.filter(|trace| is_trace(trace)) })
    }
}

/// The headers that each command takes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Sent {
    /// Has the command done once, however often it is sent.
    #[param(rename = "Idempotency-Key")]
    pub(crate) key: Option<String>,
    /// One id for all that follows from the request; one is made if there is none. The answer names it.
    #[param(rename = "Correlation-Id", value_type = Option<String>)]
    pub(crate) correlation: String,
    /// The trace that the request belongs to, by W3C Trace Context; kept with the events.
    #[param(rename = "traceparent")]
    pub(crate) trace: Option<String>,
    /// Does the command only if its stream has this version.
    #[param(rename = "Expected-Version")]
    pub(crate) expected: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Sent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let made = parts.extensions.get::<Correlation>().map(|made| made.0.clone());
        let Traced { correlation, trace } = Traced::from_request_parts(parts, state).await?;
        Ok(Self {
            key: text(&parts.headers, "Idempotency-Key")?,
            correlation: correlation.or(made).unwrap_or_else(new_correlation),
            trace,
            expected: parsed(&parts.headers, "Expected-Version")?,
        })
    }
}

/// The text of a header, which may stand there once.
fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default().trim(),
        _ => return Err(Problem::bad_request(format!("header `{name}` stands there twice"))),
    };
    if (1..=LONGEST).contains(&value.len()) {
        Ok(Some(value.to_owned()))
    } else {
        let wanted = format!("header `{name}` is not 1 to {LONGEST} visible characters");
        Err(Problem::bad_request(wanted))
    }
}

fn parsed<T: FromStr<Err: Display>>(headers: &HeaderMap, name: &str) -> Result<Option<T>, Problem> {
    let refused = |error| Problem::bad_request(format!("header `{name}`: {error}"));
    text(headers, name)?.map(|text| text.parse().map_err(refused)).transpose()
}

/// Whether a text is `version-trace-parent-flags`, as W3C Trace Context writes it.
fn is_trace(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, digits: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        part.len() == digits && part.bytes().all(is_digit)
    };
    let is_some = |part: &str| part.bytes().any(|byte| byte != b'0');
    match parts[..] {
        // Later versions may say more behind the flags.
        [version, trace, parent, flags, ..] => {
            (version != "00" || parts.len() == 4)
                && (is_hex(version, 2) && version != "ff")
                && (is_hex(trace, 32) && is_some(trace))
                && (is_hex(parent, 16) && is_some(parent))
                && is_hex(flags, 2)
        }
        _ => false,
    }
}

/// A body in JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !media_type.is_some_and(|value| value.eq_ignore_ascii_case("application/json")) {
            let wanted = "send the body as `Content-Type: application/json`";
            return Err(Problem::new(Kind::UnsupportedMediaType, wanted));
        }
        let read_all = timeout(app.reading, Bytes::from_request(request, app)).await;
        let late = |_| Problem::new(Kind::TooSlow, format!("not within {:?}", app.reading));
        let body = read_all.map_err(late)?.map_err(|error| {
            let kind = match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
                _ => Kind::BadRequest,
            };
            Problem::new(kind, error.body_text())
        })?;
        read(&body).map(Self)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A list would do for serde, field by field.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::bad_request("the body is a list, not an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let content = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let detail = error.inner().to_string();
        let field = field_of(error.path(), &detail);
        let problem = Problem::bad_request(detail);
        match field {
            Some(field) => problem.in_field(field),
            None => problem,
        }
    })?;
    json.end().map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(content)
}

/// Where in a body an error is; `None` if it is about all of it.
fn field_of(path: &serde_path_to_error::Path, detail: &str) -> Option<String> {
    let path = Some(path.to_string()).filter(|path| path != ".");
    // The path leads to where a field is missing, or stands twice. Which it is, serde says in words only.
    let said = ["missing field `", "duplicate field `"];
    let said = said.iter().find_map(|words| detail.strip_prefix(words)?.split_once('`'));
    match (path, said) {
        (Some(path), Some((field, _))) if path != field => Some(format!("{path}.{field}")),
        (path, said) => path.or_else(|| said.map(|(field, _)| field.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::is_trace;

    #[test]
    fn a_trace_is_as_the_standard_writes_it() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_trace(trace));
        assert!(is_trace(&trace.replacen("00", "01", 1)));
        assert!(is_trace(&format!("{}-more", trace.replacen("00", "01", 1))));
        for wrong in [
            String::new(),
            "00-1-2-3".to_owned(),
            format!("{trace}-more"),
            trace.to_uppercase(),
            trace.replacen("00", "ff", 1),
            trace.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            trace.replace("00f067aa0ba902b7", &"0".repeat(16)),
        ] {
            assert!(!is_trace(&wrong), "{wrong}");
        }
    }
}
