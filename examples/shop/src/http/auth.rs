//! Who a request is from. What they may do, the buses decide.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::App;
use super::problem::{Kind, Problem};
use crate::access::Denied;
use crate::users::{Role, User};

/// Whoever sent a request, by the token in its `Authorization`.
pub(crate) struct Caller(pub(crate) User);

/// One of the staff, where neither bus is asked who may do what.
pub(crate) struct Staff(pub(crate) User);

impl FromRequestParts<App> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(user) = Caller::from_request_parts(parts, app).await?;
        match user.role {
            Role::Staff => Ok(Self(user)),
            Role::Customer => Err(Problem::new(Kind::Forbidden, Denied::Forbidden.to_string())),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let denied = |why| Problem::new(Kind::Unauthenticated, why);
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(denied("send one header `Authorization: Bearer TOKEN`"));
        };
        let token = value.to_str().ok().and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(denied("`Authorization` is not `Bearer TOKEN`"));
        };
        let user = app.users.by_token(token.trim());
        user.cloned().map(Self).ok_or_else(|| denied("nobody has this token"))
    }
}
