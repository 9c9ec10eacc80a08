//! Instants as PostgreSQL keeps them: microseconds since 2000.

use annals::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type, TypeInfo, ValueRef};

/// The type's number, the same in every server.
const TIMESTAMPTZ: Oid = Oid(1184);

/// The number of its array's type.
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// 2000-01-01T00:00:00Z in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// The earliest instant that a `timestamptz` holds, 4714-11-24 BC, in microseconds since 2000.
const EARLIEST: i64 = -211_813_488_000_000_000;

/// What stands for what is earlier.
const MINUS_INFINITY: i64 = i64::MIN;

/// An instant in a `timestamptz`. One before all that the type holds is kept as `-infinity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl Instant {
    /// Whether it comes back as it was.
    pub(crate) fn is_exact(self) -> bool {
        self.0 == Timestamp::MIN || self.0.as_micros() - EPOCH >= EARLIEST
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        ty.name().eq_ignore_ascii_case("timestamptz")
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }

    fn array_compatible(ty: &PgTypeInfo) -> bool {
        ty.name().eq_ignore_ascii_case("timestamptz[]")
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_micros() - EPOCH;
        let kept = if micros < EARLIEST { MINUS_INFINITY } else { micros };
        <i64 as Encode<'_, Postgres>>::encode(kept, buffer)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != sqlx::postgres::PgValueFormat::Binary {
            return Err(format!("a {} came as text", value.type_info().name()).into());
        }
        let micros = <i64 as Decode<'_, Postgres>>::decode(value)?;
        Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCH))))
    }
}
