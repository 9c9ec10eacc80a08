//! Which values a column holds.

/// The kind of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnKind {
    /// `true` or `false`.
    Bool,
    /// An integer of 16 bits.
    SmallInt,
    /// An integer of 32 bits.
    Integer,
    /// An integer of 64 bits.
    BigInt,
    /// A floating-point number of 32 bits.
    Real,
    /// A floating-point number of 64 bits.
    Double,
    /// A decimal number of any precision.
    Decimal,
    /// A text, compared byte by byte.
    Text,
    /// A UUID.
    Uuid,
    /// An instant, in microseconds.
    Timestamp,
    /// A day.
    Date,
    /// A day and a time of that day, in no zone, in microseconds.
    DateTime,
    /// JSON, as the store's codec sealed it.
    Json,
}

impl ColumnKind {
    /// The kind's name, as fingerprints and messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Real => "real",
            Self::Double => "double",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Json => "json",
        }
    }
}
