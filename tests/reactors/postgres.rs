//! On PostgreSQL.

use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

use crate::{rules, shards};

macro_rules! rules {
    ($($file:ident { $($rule:ident)+ })+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let database = TestDatabase::create().await.expect("a database");
                let store = PostgresStore::connect(database.url()).await.expect("it is there");
                store.migrate().await.expect("it takes the tables");
                $file::$rule(store).await;
            }
        )+)+
    };
}

include!("list.rs");
