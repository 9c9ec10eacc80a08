//! Ids of aggregates: newtypes that read from and write to text.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use uuid::Uuid;

/// What tells one aggregate from another of its type; `#[derive(AggregateId)]` on a newtype writes it.
///
/// Two ids are the same aggregate exactly when their texts are the same: the text is in the stream's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the id of an aggregate",
    label = "not an aggregate's id",
    note = "derive it on a newtype over `String`, `Uuid` or an integer: `#[derive(Debug, Clone, AggregateId)] struct …(String);`"
)]
pub trait AggregateId: Display + FromStr + Clone + Send + Sync + 'static {}

impl AggregateId for String {}
impl AggregateId for Uuid {}

/// What can name an aggregate: its id, and, for what `#[derive(AggregateId)]` wrote, the inner type and `str`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name an aggregate whose id is `{Id}`",
    label = "expected `{Id}`, what it wraps, or `str`"
)]
pub trait ToId<Id> {
    /// The id.
    ///
    /// # Errors
    ///
    /// When a text is not an id.
    fn to_id(&self) -> Result<Id, IdError>;
}

impl<Id: AggregateId> ToId<Id> for Id {
    fn to_id(&self) -> Result<Id, IdError> {
        Ok(self.clone())
    }
}

impl ToId<String> for str {
    fn to_id(&self) -> Result<String, IdError> {
        Ok(self.to_owned())
    }
}

impl ToId<Uuid> for str {
    fn to_id(&self) -> Result<Uuid, IdError> {
        IdError::parse(self)
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(
            impl AggregateId for $integer {}

            impl ToId<$integer> for str {
                fn to_id(&self) -> Result<$integer, IdError> {
                    IdError::parse(self)
                }
            }
        )*
    };
}

integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    text: String,
    reason: String,
}

impl IdError {
    /// Says why a text is not an id.
    pub fn new(text: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { text: text.into(), reason: reason.into() }
    }

    /// Reads an id, and says which text is none.
    ///
    /// # Errors
    ///
    /// When the text is not an id.
    pub fn parse<Id: FromStr<Err: Display>>(text: &str) -> Result<Id, Self> {
        text.parse().map_err(|error: Id::Err| Self::new(text, error.to_string()))
    }
}

impl Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an id: {}", self.text.escape_debug(), self.reason)
    }
}

impl std::error::Error for IdError {}
