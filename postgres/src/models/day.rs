//! Days, and days with a time, as PostgreSQL keeps them: counted from 2000, in no time zone.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type, TypeInfo, ValueRef};

/// A day in a `date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(i32);

/// A day and its time in a `timestamp`, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayTime(i64);

macro_rules! counted {
    ($ty:ident($count:ty) = $name:literal, $array:literal) => {
        impl $ty {
            /// What is kept of a count from 1970; `None` if PostgreSQL does not keep it.
            pub(super) fn from_unix(count: $count) -> Option<Self> {
                let count = count.checked_sub(Self::EPOCH)?;
                (Self::ENDS.0 <= count && count <= Self::ENDS.1).then_some(Self(count))
            }

            /// The same, with an infinity for what is not kept: it compares with all that is kept as that does.
            pub(super) fn nearest(count: $count) -> Self {
                let infinity = if count < Self::EPOCH { <$count>::MIN } else { <$count>::MAX };
                Self::from_unix(count).unwrap_or(Self(infinity))
            }

            pub(super) fn in_unix(self) -> $count {
                self.0.saturating_add(Self::EPOCH)
            }
        }

        impl Type<Postgres> for $ty {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_oid(Self::TYPE)
            }

            fn compatible(ty: &PgTypeInfo) -> bool {
                ty.name().eq_ignore_ascii_case($name)
            }
        }

        impl PgHasArrayType for $ty {
            fn array_type_info() -> PgTypeInfo {
                PgTypeInfo::with_oid(Self::ARRAY)
            }

            fn array_compatible(ty: &PgTypeInfo) -> bool {
                ty.name().eq_ignore_ascii_case($array)
            }
        }

        impl Encode<'_, Postgres> for $ty {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                <$count as Encode<'_, Postgres>>::encode(self.0, buffer)
            }
        }

        impl Decode<'_, Postgres> for $ty {
            fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                if value.format() != PgValueFormat::Binary {
                    return Err(format!("a {} came as text", value.type_info().name()).into());
                }
                <$count as Decode<'_, Postgres>>::decode(value).map(Self)
            }
        }
    };
}

counted!(Day(i32) = "date", "date[]");
counted!(DayTime(i64) = "timestamp", "timestamp[]");

impl Day {
    /// The type's number, the same in every server, and that of its array.
    const TYPE: Oid = Oid(1082);
    const ARRAY: Oid = Oid(1182);

    /// 2000-01-01 in days since 1970.
    const EPOCH: i32 = 10_957;

    /// 4714-11-24 BC and 5874897-12-31 in days since 2000, the first and the last that a `date` holds.
    const ENDS: (i32, i32) = (-2_451_545, 2_145_031_948);
}

impl DayTime {
    /// The type's number, the same in every server, and that of its array.
    const TYPE: Oid = Oid(1114);
    const ARRAY: Oid = Oid(1115);

    /// 2000-01-01T00:00:00 in microseconds since 1970.
    const EPOCH: i64 = 946_684_800_000_000;

    /// The first microsecond of 4714-11-24 BC and the last of 294276 in microseconds since 2000, between which a `timestamp` is.
    const ENDS: (i64, i64) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);
}
