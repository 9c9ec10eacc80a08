use annals::prelude::*;
use annals_postgres::{SqlContext, sql_projection};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened {
    owner: String,
}

struct Audit;

#[sql_projection(name = "audit")]
impl Audit {
    #[setup]
    async fn tables(_: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    #[setup]
    async fn indexes(_: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    #[on]
    async fn opened(_: &Opened, _: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

fn main() {}
