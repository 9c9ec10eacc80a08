//! The store on PostgreSQL.

mod conformance {
    use std::sync::atomic::{AtomicU32, Ordering};

    use annals::StoreError;
    use annals_postgres::PostgresStore;

    static NEXT: AtomicU32 = AtomicU32::new(0);

    async fn fresh() -> Result<PostgresStore, StoreError> {
        let n = NEXT.fetch_add(1, Ordering::SeqCst);
        let store = PostgresStore::builder()
            .schema(format!("t{}_{n}", std::process::id()))
            .connect("postgres://postgres@127.0.0.1/test")
            .await?;
        store.migrate().await?;
        Ok(store)
    }

    annals_testing::conformance!(postgres, fresh);
}
